"""Our format: a folder with ``model.safetensors`` (backbone weights) and ``config.json`` (everything else).

Inference rebuilds the model from the folder alone. Frozen parts are named in the record, not stored.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from vosr.checkpoints.training_state import averaged_weights, newest
from vosr.core.files.atomic import write_atomically
from vosr.core.registries import describe, rebuild
from vosr.core.renamed import rename
from vosr.core.weights import State, empty_module, load_strictly, on_meta, read_tensors
from vosr.model import ModelCard, RestorationModel, Sampling
from vosr.model.conditioner import Conditioner

FORMAT = "vosr/1"
CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save_model(model: RestorationModel, folder: Path, dtype: torch.dtype | None = None) -> None:
    """Write ``model`` to ``folder``; each file appears complete or not at all.

    Args:
        model: to be written.
        folder: made if absent; older files of the same names are replaced.
        dtype: of the stored weights; None keeps them as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.detach().to("cpu", dtype).contiguous() for k, v in model.backbone.state_dict().items()}
    write_atomically(folder / WEIGHTS, lambda path: save_file(weights, path, metadata={"format": FORMAT}))
    save_record(model, folder)


def save_record(model: RestorationModel, folder: Path) -> None:
    """Write everything but the weights; enough for :func:`load_folder` under ``torch.device("meta")``."""
    record = {
        "format": FORMAT,
        "backbone": describe(model.backbone),
        "autoencoder": describe(model.conditioner.autoencoder),
        "encoder": describe(model.conditioner.encoder),
        "guidance": describe(model.guidance),
        "sampling": asdict(model.sampling),
        "card": asdict(model.card),
    }
    write_atomically(folder / CONFIG, lambda path: path.write_text(json.dumps(record, indent=2) + "\n"))


def load_folder(folder: Path, dtype: torch.dtype | None = torch.float32) -> RestorationModel:
    """Read what :func:`save_model` wrote; on the CPU, eval mode. Under ``torch.device("meta")``, without weights.

    Args:
        folder: to be read. If it has no weights, those of the newest training checkpoint beside it are taken.
        dtype: of the backbone's weights; None keeps what the file has.

    Raises:
        ValueError: the folder is of another format, or the weights do not fit the record.
        FileNotFoundError: there are no weights, here or in checkpoints.
    """
    record = _read_record(folder / CONFIG)
    backbone = empty_module(lambda: rebuild("backbone", record["backbone"]))
    if not on_meta():
        load_strictly(backbone, *_weights(folder), dtype)
    model = RestorationModel(
        Conditioner(rebuild("autoencoder", record["autoencoder"]), rebuild("encoder", record["encoder"])),
        backbone,
        rebuild("guidance", record["guidance"]),
        Sampling(**record["sampling"]),
        ModelCard(**record["card"]),
    )
    return model.eval()


def _weights(folder: Path) -> tuple[State, Path]:
    """Tensors, and where they are from."""
    if (folder / WEIGHTS).is_file():
        return read_tensors(folder / WEIGHTS), folder / WEIGHTS
    checkpoint = newest((folder.parent / "checkpoints").glob("*.ckpt"))
    if checkpoint is None:
        raise FileNotFoundError(f"{folder} has no {WEIGHTS} yet, and its run has no checkpoint.")
    return averaged_weights(checkpoint), checkpoint


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}.") from error
    if record.get("format") != FORMAT:
        raise ValueError(f"{path} has format {record.get('format')!r}; this version reads {FORMAT!r}.")
    renamed: dict[str, Any] = rename(record)
    return renamed
