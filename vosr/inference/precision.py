"""Dtypes of a model's parts, and the fallback where one is too small."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vosr.core.devices import default_dtype
from vosr.core.mapped import MappedFiles
from vosr.core.options import DTypeName

log = logging.getLogger("vosr")

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """Dtype of each part.

    Half precision shows in the image: docs/restoring.md has the measured differences.

    Args:
        backbone: velocities. "auto" is float16 on CUDA and float32 elsewhere.
        encoder: semantics; "auto" follows the backbone. Encoders without weights stay in float32.
        autoencoder: pixels <-> latents; "auto" is float32 everywhere: in half precision, decoders overflow or band.
    """

    backbone: DTypeName = "auto"
    encoder: DTypeName = "auto"
    autoencoder: DTypeName = "auto"

    def resolve(self, device: torch.device) -> tuple[torch.dtype, torch.dtype, torch.dtype]:
        """Dtypes of backbone, encoder and autoencoder on ``device``.

        Raises:
            ValueError: a name that is none of the formats.
        """
        for name in (self.backbone, self.encoder, self.autoencoder):
            if name != "auto" and name not in DTYPES:
                raise ValueError(f"Unknown dtype {name!r}; choose auto, {', '.join(DTYPES)}.")
        backbone = DTYPES.get(self.backbone, default_dtype(device))
        encoder = DTYPES.get(self.encoder, backbone)
        return backbone, encoder, DTYPES.get(self.autoencoder, torch.float32)


class Part:
    """One network in its dtype.

    A result that is not finite is computed again in float32, and the part stays in float32 from there on: values that
    overflowed once will again.

    Args:
        name: for messages.
        module: its weights are cast in place; vectors (biases, gains of norms) stay in float32.
        dtype: wanted format.
    """

    def __init__(self, name: str, module: nn.Module, dtype: torch.dtype) -> None:
        self.name = name
        self.module = module
        weightless = next(module.parameters(), None) is None
        self.dtype = torch.float32 if weightless else dtype
        _cast(module, self.dtype)

    def run(self, function: Callable[[], Tensor]) -> Tensor:
        """Result of ``function``, which calls the module, as float32.

        Raises:
            ValueError: not finite even in float32.
        """
        result = self._run(function)
        if not bool(torch.isfinite(result).all()) and self.dtype != torch.float32:
            short = str(self.dtype).removeprefix("torch.")
            log.warning("The %s overflows in %s; it goes on in float32.", self.name, short)
            self.dtype = torch.float32
            _cast(self.module, self.dtype)
            result = self._run(function)
        if not bool(torch.isfinite(result).all()):
            raise ValueError(f"The {self.name} gives values that are not finite: are its weights damaged?")
        return result

    def _run(self, function: Callable[[], Tensor]) -> Tensor:
        device = next((tensor.device.type for tensor in self.module.parameters()), "cpu")
        half = self.dtype != torch.float32
        with torch.autocast(device, dtype=self.dtype if half else None, enabled=half):
            return function().float()


def _cast(module: nn.Module, dtype: torch.dtype) -> None:
    """Cast one tensor at a time: the file's pages that a tensor was read from do not stay beside its copy."""
    mapped = MappedFiles()
    for parameter in module.parameters():
        if parameter.ndim > 1 and parameter.dtype != dtype:
            stored, parameter.data = parameter.data, parameter.data.to(dtype)
            mapped.release(stored)
