"""Modules before their weights: on the meta device, or with reproducible random values."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


def on_meta() -> bool:
    """Whether modules are being built without memory, under ``torch.device("meta")``."""
    return torch.get_default_device().type == "meta"


@contextmanager
def fixed_random() -> Iterator[None]:
    """Random initial weights, the same in each process and run; the global stream is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def random_module(factory: Callable[[], M]) -> M:
    """``factory()`` with reproducible random weights, or without memory under ``torch.device("meta")``."""
    with fixed_random():
        return factory()


def empty_module(factory: Callable[[], M]) -> M:
    """``factory()`` without memory for its parameters, to be filled by :func:`vosr.core.weights.load_strictly`."""
    with torch.device("meta"):
        return factory()
