"""Folders of autoencoders and of light decoders, which are no restoration models."""

import json
from pathlib import Path
from typing import Any

from vosr.autoencoders.light_decoder import LIGHT_FILE
from vosr.core.files.regular import read_regular

_MOST_BYTES = 2**20


def autoencoder_folder(name: str) -> Path | None:
    """The folder of an autoencoder or of a light decoder that ``name`` stands for: itself, or a run's; else None."""
    for folder in (Path(name), Path(name) / "model"):
        if (folder / LIGHT_FILE).is_file() or is_autoencoder(record := folder_record(folder)):
            return folder
        if is_light_decoder(record):
            return folder
    return None


def folder_record(folder: Path) -> dict[str, Any]:
    """The ``config.json`` of a folder; empty where there is none."""
    path = folder / "config.json"
    try:
        record = json.loads(read_regular(path, _MOST_BYTES)) if path.is_file() else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def is_autoencoder(record: dict[str, Any]) -> bool:
    """Whether a record is of an autoencoder in diffusers' layout."""
    return "_class_name" in record


def is_light_decoder(record: dict[str, Any]) -> bool:
    """Whether a record is of a light decoder that was trained here."""
    return str(record.get("format", "")).startswith("vosr-light-decoder/")
