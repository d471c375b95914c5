"""Names of version 0.1 that changed: old configs, command lines and model folders still open."""

import logging
from typing import Any

log = logging.getLogger(__name__)

KEYS = {
    "weak_strength": "partial_strength",
    "weak_strength_range": "partial_strength_range",
    "weak_probability": "partial_probability",
    "picture_loss": "image_loss",
    "pictures": "images",
    "companions": "frozen_parts",
}
"""Config keys and options."""

VALUES = {
    "vosr.objectives.picture": "vosr.objectives.image",
    "vosr.objectives.PictureLoss": "vosr.objectives.ImageLoss",
    "data_pipelines.pictures": "data_pipelines.images",
    "data_pipelines.PictureFolder": "data_pipelines.ImageFolder",
    "data_pipelines.folders.PictureFolder": "data_pipelines.folders.ImageFolder",
}
"""Beginnings of class paths."""

_FLAG_VALUES = {("--semantics", "picture"): "image"}
_reported: set[str] = set()


def rename(config: Any) -> Any:
    """``config`` with the keys and class paths of this version, at any depth; what changed is logged once."""
    if isinstance(config, dict):
        return {_new(key, KEYS): rename(value) for key, value in config.items()}
    if isinstance(config, list):
        return [rename(item) for item in config]
    return _class_path(config) if isinstance(config, str) else config


def rename_arguments(arguments: list[str]) -> list[str]:
    """The same for a command line: ``--model.guidance.weak_strength=0.2``, ``--weak_strength 0.2``."""
    renamed: list[str] = []
    for argument in arguments:
        if not argument.startswith("--"):
            value = _FLAG_VALUES.get((renamed[-1], argument)) if renamed else None
            renamed.append(value or _class_path(argument))
            continue
        flag, equals, value = argument.partition("=")
        flag = "--" + ".".join(_new(part, KEYS) for part in flag[2:].split("."))
        renamed.append(flag + equals + (_FLAG_VALUES.get((flag, value)) or _class_path(value)))
    return renamed


def _class_path(value: str) -> str:
    old = next((old for old in VALUES if value == old or value.startswith(f"{old}.")), None)
    return value if old is None else _new(old, VALUES) + value[len(old) :]


def _new(old: Any, table: dict[str, str]) -> Any:
    new = table.get(old, old) if isinstance(old, str) else old
    if new != old and old not in _reported:
        _reported.add(old)
        log.warning("%s is called %s since version 0.2; the old name still works.", old, new)
    return new
