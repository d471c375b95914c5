"""Methods as the command line names them."""

import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from vosr.evaluation.image_files import images_under
from vosr.evaluation.methods import INTERPOLATIONS, Interpolation, Method
from vosr.evaluation.models import Model, Runtime, model_files
from vosr.evaluation.result_folder import ResultFolder
from vosr.inference import Settings


def open_methods(texts: Iterable[str], runtime: Runtime) -> list[Method]:
    """Methods as the command line names them; see :func:`open_method`.

    Raises:
        ValueError: none, or two of one label.
    """
    methods = [open_method(text, runtime) for text in texts]
    labels = [method.label for method in methods]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise ValueError(
            f"Two models are called {twice}; name one of them, such as --model {twice},label=other."
        )
    return methods


def open_method(text: str, runtime: Runtime) -> Method:
    """The method that ``text`` names.

    Args:
        text: "nearest", "bicubic" or "lanczos"; what :func:`vosr.checkpoints.load_model` opens; or a folder of
            results. Settings follow after commas: "vosr_small_teacher,steps=10,guidance_scale=0.5,label=teacher".
        runtime: for models.

    Raises:
        ValueError: an unknown setting, or a folder that is neither.
        FileNotFoundError: no such model.
    """
    name, values = split_settings(text)
    label = values.pop("label", None)
    if name in INTERPOLATIONS:
        return Interpolation(name)
    path = Path(name)
    if path.is_dir() and not model_files(name) and next(images_under(path), None) is not None:
        return ResultFolder(label or path.resolve().name, path)
    label = label or ",".join([path.resolve().name if path.is_dir() else name, *text.split(",")[1:]])
    return Model(re.sub(r"[^\w.=,+-]", "_", label), name, _settings(values), runtime)


def split_settings(text: str) -> tuple[str, dict[str, str]]:
    """A name that may hold commas, and the settings after it."""
    name, values = text, dict[str, str]()
    while found := re.fullmatch(r"(.+),(\w+)=([^,]*)", name):
        name, values = found[1], {found[2]: found[3]} | values
    return name, values


def _settings(values: dict[str, str]) -> Settings:
    kinds = {
        field.name: next((t for t in (int, float) if t in get_args(field.type)), str)
        for field in fields(Settings)
    }
    known: dict[str, Any] = {}
    for key, value in values.items():
        if key not in kinds:
            raise ValueError(f"Unknown setting {key!r} of a model; known: label, {', '.join(kinds)}.")
        try:
            known[key] = kinds[key](value)
        except ValueError as error:
            raise ValueError(f"{key} must be a number, not {value!r}.") from error
    return Settings(**known)
