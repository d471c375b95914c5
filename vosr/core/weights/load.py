"""Strict loading of weights, memory-mapped: every name and shape must fit."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from vosr.core.weights.initialise import M, empty_module, random_module

State = dict[str, Tensor]


def read_tensors(path: Path) -> Any:
    """Contents of a safetensors file or of a pickle of tensors, memory-mapped where the format allows it.

    Raises:
        ValueError: the file is no such thing.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # safetensors, pickle and zip each raise their own kinds
        raise ValueError(f"{path} is not a readable file of weights: {error}") from error


def pretrained_module(factory: Callable[[], M], path: Path | None, convert: Callable[[State], State]) -> M:
    """``factory()`` with the weights of a file, whose names ``convert`` puts in order; fixed random ones without.

    Raises:
        ValueError: the file is no such thing, or does not fit.
    """
    if path is None:
        return random_module(factory)
    module = empty_module(factory)
    load_strictly(module, convert(read_tensors(path)), path)
    return module


def load_strictly(
    module: nn.Module, state: State, path: Path, dtype: torch.dtype | None = torch.float32
) -> None:
    """Put ``state`` in place of the module's parameters, as ``dtype`` (None: as stored); all names and shapes must fit.

    Values that have ``dtype`` already are not copied: they stay in the mapped file until they are used.

    Raises:
        ValueError: names what is missing, what is unexpected and what has another shape.
    """
    check_fit(module, state, path)
    module.load_state_dict(
        {name: value if dtype is None else value.to(dtype) for name, value in state.items()}, assign=True
    )


def check_fit(module: nn.Module, state: State, source: str | Path) -> None:
    """Refuse weights that are not those of ``module``, which may be on the meta device.

    Args:
        module: has the names and shapes that are wanted.
        state: the weights.
        source: where they come from, for the message.

    Raises:
        ValueError: names what is missing, what is unexpected and what has another shape.
    """
    expected = module.state_dict()
    problems = [
        *(f"{name} is missing" for name in expected.keys() - state.keys()),
        *(f"{name} is unexpected" for name in state.keys() - expected.keys()),
        *(
            f"{name} is {tuple(state[name].shape)}, not {tuple(expected[name].shape)}"
            for name in expected.keys() & state.keys()
            if state[name].shape != expected[name].shape
        ),
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ValueError(
            f"{source} does not fit {type(module).__name__}: {'; '.join(sorted(problems)[:3])}{more}."
        )
