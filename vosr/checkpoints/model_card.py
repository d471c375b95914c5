"""Generated README of a published model: what it is, what it was trained on, how it did, how to use it."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

from vosr.core.files.atomic import write_atomically
from vosr.core.registry import describe
from vosr.model import RestorationModel


def write_card(
    model: RestorationModel, folder: Path, source: str | Path, name: str, license: str | None = None
) -> None:
    """Write README.md, and the images that it shows, into a model folder.

    Args:
        model: that the folder holds.
        folder: of the model.
        source: what the model was opened from; of a run folder data, metrics and the newest image are shown.
        name: of the model: a hub id where it is published.
        license: that the user names; without one the card says that there is none.
    """
    text = model_card(model, source, name, license)
    image = _newest_image(Path(source))
    if image is not None:
        (folder / "images").mkdir(exist_ok=True)
        write_atomically(folder / "images" / "validation.png", lambda path: shutil.copyfile(image, path))
        text += "\n![Validation images: input, restored, original](images/validation.png)\n"
    write_atomically(folder / "README.md", lambda path: path.write_text(text))


def model_card(model: RestorationModel, source: str | Path, name: str, license: str | None = None) -> str:
    """Markdown text that says what the model is and how to use it; arguments as of :func:`write_card`."""
    card, sampling = model.card, model.sampling
    parameters = sum(p.numel() for p in model.backbone.parameters())
    steps = "one step" if sampling.steps == 1 else f"{sampling.steps} steps"
    opened = name if "/" in name else f"./{name}"
    return "\n".join(
        [
            "---",
            *([f"license: {license}"] if license else []),
            "library_name: vosr",
            "pipeline_tag: image-to-image",
            "tags: [image-restoration, super-resolution, flow-matching, vosr]",
            "---",
            f"# {name}",
            "",
            f"Vision-only generative image restoration: a {card.kind} that restores in {steps} by default, trained on "
            f"crops of {card.training_size} px for an enlargement of {card.scale}. {parameters:,} parameters"
            + (f", from `{Path(source).name}` (averaged weights)." if str(source) else "."),
            "" if license else "\nNo licence is stated.\n",
            "```python",
            "from PIL import Image",
            "from vosr import Restorer",
            "",
            f'restorer = Restorer.from_pretrained("{opened}")',
            'restorer(Image.open("photo.jpg")).save("restored.png")',
            "```",
            "",
            "```bash",
            f"python main.py restore photo.jpg -o restored --model {opened}",
            "```",
            "",
            *_components(model),
            *_data(Path(source)),
            *_metrics(Path(source)),
        ]
    )


def _components(model: RestorationModel) -> list[str]:
    """Every part with its arguments, as in config.json."""
    conditioner = model.conditioner
    parts = {
        "backbone": model.backbone,
        "autoencoder": conditioner.autoencoder,
        "encoder": conditioner.encoder,
        **({"guidance": model.guidance} if model.card.kind == "teacher" else {}),
    }
    rows = []
    for kind, part in parts.items():
        record = describe(part)
        args = ", ".join(
            f"{key} {_short(value)}" for key, value in record["args"].items() if value is not None
        )
        rows.append(f"| {kind} | `{record['name']}` | {args} |")
    return ["| part | component | arguments |", "|---|---|---|", *rows, ""]


def _short(value: Any) -> Any:
    """A value; of a path on this machine its last name alone."""
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def _data(run: Path) -> list[str]:
    """What a run was trained on: names without their folders, which say more of the author than of the data."""
    listing = run / "data.json"
    if not listing.is_file():
        return []
    content: dict[str, Any] = json.loads(listing.read_text())
    rows = [
        f"- {Path(source['name']).name}: {sum(filter(None, source['samples'].values())):,} samples"
        for source in content["train"]
    ]
    return ["## Training data", "", *rows, f"- validation: {len(content['validation'])} images", ""]


def _metrics(run: Path) -> list[str]:
    """The last validation of a run."""
    values: dict[str, str] = {}
    for path in sorted(run.glob("metrics/*/metrics.csv")):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                values |= {key: value for key, value in row.items() if key.startswith("val/") and value}
    if not values:
        return []
    rows = [f"| {key.removeprefix('val/')} | {float(value):.4g} |" for key, value in values.items()]
    return ["## Validation", "", "| metric | last value |", "|---|---|", *rows, ""]


def _newest_image(run: Path) -> Path | None:
    images = sorted(run.glob("images/step_*.png"))
    return images[-1] if images else None
