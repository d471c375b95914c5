"""Loss of resolution: reduce, then enlarge back."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vosr.degradations.base import Degradation, DegradationParams, check_images, to_8_bits
from vosr.degradations.buckets import apply_in_buckets
from vosr.degradations.canvas import MODES, resize, whole
from vosr.degradations.checks import check_range
from vosr.degradations.draws import Draws


@dataclass(frozen=True)
class ResizeParams(DegradationParams):
    """Reduction, and the interpolations down and up (indices into MODES), (B,) each."""

    factor: Tensor
    down_mode: Tensor
    up_mode: Tensor


class Resize(Degradation):
    """Reduces by a random factor and enlarges back, each with a random interpolation.

    Args:
        factor: range of the reduction; 1 keeps the size.
        modes: interpolations to draw from: area, bilinear, bicubic.
    """

    def __init__(self, factor: tuple[float, float] = (1.0, 4.0), modes: tuple[str, ...] = MODES) -> None:
        check_range("factor", factor, above=0)
        if not modes or set(modes) - set(MODES):
            raise ValueError(f"modes must be some of {', '.join(MODES)}, not {tuple(modes)}.")
        self.factor = factor
        self.modes = modes

    def sample(self, batch_size: int, generator: torch.Generator | None = None) -> ResizeParams:
        draws = Draws(batch_size, generator)
        index = torch.tensor([MODES.index(mode) for mode in self.modes])
        equal = (1.0,) * len(self.modes)
        return ResizeParams(
            factor=draws.uniform(*self.factor),
            down_mode=index[draws.choice(equal)],
            up_mode=index[draws.choice(equal)],
        )

    def apply(self, hq: Tensor, params: ResizeParams) -> Tensor:  # type: ignore[override]
        check_images(hq)
        return apply_in_buckets(to_8_bits(hq), params, -params.factor, self._apply_group)

    def _apply_group(self, hq: Tensor, params: ResizeParams) -> Tensor:
        canvas = whole(hq)
        height, width = (
            (size / params.factor).round().long().clamp_min(1) for size in (canvas.height, canvas.width)
        )
        small = resize(canvas, height, width, params.down_mode)
        return to_8_bits(resize(small, canvas.height, canvas.width, params.up_mode).image)
