"""torch.compile, with eager execution where it fails."""

import logging
from typing import Any

import torch
from torch import nn

log = logging.getLogger("vosr")


def compile_forward(module: nn.Module, backend: str = "inductor") -> None:
    """Compile ``module.forward`` in place; where that fails at the first call, log it and run eagerly from then on.

    Args:
        module: its parameters and names stay as they are.
        backend: of torch.compile.
    """
    eager, compiled = module.forward, torch.compile(module.forward, backend=backend)
    works = False

    def forward(*args: Any, **kwargs: Any) -> Any:
        nonlocal works
        try:
            result = compiled(*args, **kwargs)
        except Exception as error:
            if works or isinstance(error, torch.OutOfMemoryError):
                raise
            log.warning("torch.compile does not work here (%s); running without it.", _first_line(error))
            module.forward = eager
            return eager(*args, **kwargs)
        works = True
        return result

    module.forward = forward


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
