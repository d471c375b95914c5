"""Interface of a degradation: clean image -> degraded image, drawn apart from applied."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from vosr.core.registry import Component

Params = TypeVar("Params", bound="DegradationParams")


@dataclass(frozen=True)
class DegradationParams:
    """Drawn parameters of a batch. Each degradation has a frozen dataclass of its own, derived from this one.

    Fields are tensors of leading dimension B, other parameters, tuples of parameters, or None. They are drawn on the
    CPU: the numbers are few, and on the host they decide shapes without waiting for the device.
    """

    def select(self: Params, index: Tensor | slice) -> Params:
        """Parameters of some images of the batch."""
        return self._with(lambda tensors: tensors[0][index])

    def to(self: Params, device: torch.device) -> Params:
        """Copy to a device, without waiting for the copy."""
        return self._with(lambda tensors: tensors[0].to(device, non_blocking=True))

    @staticmethod
    def cat(params: Sequence[Params]) -> Params:
        """Parameters of several batches as those of one.

        Raises:
            TypeError: they are something else, as those of degradations written for version 0.1 are.
        """
        if not isinstance(params[0], DegradationParams):
            raise TypeError(
                f"A degradation's sample gives a DegradationParams, not a {type(params[0]).__name__}."
            )
        return params[0]._with(torch.cat, *params[1:])

    def _with(self: Params, function: Callable[[list[Tensor]], Tensor], *others: Params) -> Params:
        """``function`` of each tensor here and its counterparts in ``others``."""
        each = ([getattr(one, field.name) for one in (self, *others)] for field in fields(self))
        return type(self)(*(_mapped(function, values) for values in each))


def _mapped(function: Callable[[list[Tensor]], Tensor], values: list[Any]) -> Any:
    first, *others = values
    if first is None:
        return None
    if isinstance(first, tuple):
        return tuple(_mapped(function, list(each)) for each in zip(*values))
    return first._with(function, *others) if isinstance(first, DegradationParams) else function(values)


class Degradation(Component, nn.Module, ABC):
    """Stateless, seeded degradation of a whole batch on the batch's own device.

    A module without parameters: it also works inside ``kornia.augmentation.AugmentationSequential``.

    Attributes:
        scale: reduction of the image inside the degradation (4: LQ carries the information of an image of a
            quarter of the size). The LQ always comes back at the size of the HQ.
    """

    scale: int = 1
    __call__: Callable[..., Tensor]

    def __new__(cls, *args: Any, **kwargs: Any) -> "Degradation":
        """Make a module of what a subclass builds without calling ``super().__init__()``."""
        self = super().__new__(cls)
        nn.Module.__init__(self)
        return self

    @abstractmethod
    def sample(self, batch_size: int, generator: torch.Generator | None = None) -> DegradationParams:
        """Draw the parameters of ``batch_size`` independent degradations with a CPU generator."""

    def sample_each(self, generators: Sequence[torch.Generator]) -> DegradationParams:
        """Draw the parameters of one degradation from each CPU generator, whatever else is in the batch."""
        return DegradationParams.cat([self.sample(1, generator) for generator in generators])

    @abstractmethod
    def apply(self, hq: Tensor, params: DegradationParams) -> Tensor:  # type: ignore[override]
        """Degrade ``hq`` (B, 3, H, W) in [0, 1] with drawn parameters.

        Deterministic: the same parameters give the same image, and a batch gives what its images give one by
        one.

        Returns:
            LQ of the same shape, in [0, 1], in 8-bit steps.
        """

    def forward(self, hq: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw and apply."""
        return self.apply(hq, self.sample(hq.shape[0], generator))


def check_images(hq: Tensor, multiple: int = 1) -> None:
    """Refuse what no degradation can take.

    Raises:
        ValueError: not a float (B, 3, H, W), or a side that is not a multiple of ``multiple``.
    """
    if hq.ndim != 4 or hq.shape[1] != 3 or not hq.is_floating_point():
        raise ValueError(f"Degradations take float images (B, 3, H, W), not {hq.dtype} {tuple(hq.shape)}.")
    if hq.shape[2] % multiple or hq.shape[3] % multiple or not hq.numel():
        raise ValueError(f"Image size {tuple(hq.shape[2:])} must be a positive multiple of {multiple}.")


def to_8_bits(image: Tensor) -> Tensor:
    """Clamp to [0, 1] and round to multiples of 1/255; not-a-number becomes 0."""
    return image.nan_to_num(0.0).clamp_(0, 1).mul_(255).round_().div_(255)
