"""Generated README of an exported model."""

from vosr.core.registry import describe
from vosr.model import RestorationModel


def model_card(model: RestorationModel, source: str, name: str) -> str:
    """Markdown text that says what the model is and how to use it.

    Args:
        model: the exported model.
        source: what it was exported from.
        name: of the folder.
    """
    card, sampling = model.card, model.sampling
    parameters = sum(p.numel() for p in model.backbone.parameters())
    conditioner = model.conditioner
    steps = "one step" if sampling.steps == 1 else f"{sampling.steps} steps"
    parts = {
        "backbone": model.backbone,
        "autoencoder": conditioner.autoencoder,
        "encoder": conditioner.encoder,
        **({"guidance": model.guidance} if card.kind == "teacher" else {}),
    }
    rows = [f"| {kind} | `{describe(part)['name']}` |" for kind, part in parts.items()]
    return "\n".join(
        [
            "---",
            "license: apache-2.0",
            "pipeline_tag: image-to-image",
            "tags: [image-restoration, super-resolution, flow-matching, vosr]",
            "---",
            f"# {name}",
            "",
            f"Vision-only generative image restoration: a {card.kind} that restores in {steps} by default, trained on "
            f"crops of {card.training_size} px for an enlargement of {card.scale}. {parameters:,} parameters, exported "
            f"from `{source}` (averaged weights). Frozen parts are named here, not included.",
            "",
            "| part | component |",
            "|---|---|",
            *rows,
            "",
            "```bash",
            f"python main.py restore photo.jpg -o restored --model ./{name}",
            "```",
            "",
        ]
    )
