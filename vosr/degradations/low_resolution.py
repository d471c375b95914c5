"""Degradations at a lower resolution, after which the image is enlarged for the model."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vosr.core.resampling import antialiased
from vosr.degradations.base import Degradation, DegradationParams, check_images, to_8_bits
from vosr.degradations.canvas import MODES
from vosr.degradations.checks import check_shares
from vosr.degradations.compose import CompositeParams, Sequence
from vosr.degradations.draws import Draws
from vosr.degradations.pillow import pillow_bicubic


@dataclass(frozen=True)
class LowResolutionParams(DegradationParams):
    """Reduction and its interpolation (index into MODES), (B,) each; parameters of the steps, if there are any."""

    scale: Tensor
    reduce_mode: Tensor
    inside: CompositeParams | None


class LowResolution(Degradation):
    """Reduces by one of several scales, applies its steps there, and enlarges back as inference does.

    Reducing antialiases, as image programs do. Enlarging is Pillow's bicubic (docs/method.md#sampling). With no steps
    and scale 1 the image stays as it is.

    Args:
        scales: reductions to draw from; 1 keeps the size.
        weights: relative frequency of each; equal, if not given.
        steps: degradations of the reduced image, in order.
        probabilities: of each step; always, if not given.
        modes: interpolations to draw the reduction from: area, bilinear, bicubic (Pillow's).
    """

    def __init__(
        self,
        scales: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0),
        weights: tuple[float, ...] | None = None,
        steps: list[Degradation] | None = None,
        probabilities: list[float] | None = None,
        modes: tuple[str, ...] = ("bicubic",),
    ) -> None:
        if not scales or min(scales) < 1:
            raise ValueError(f"scales must be numbers of at least 1, not {tuple(scales)}.")
        self.weights = (1.0,) * len(scales) if weights is None else tuple(weights)
        if len(self.weights) != len(scales):
            raise ValueError(f"weights must be {len(scales)} numbers, one for each scale, not {weights}.")
        check_shares("weights", self.weights)
        if not modes or set(modes) - set(MODES):
            raise ValueError(f"modes must be some of {', '.join(MODES)}, not {tuple(modes)}.")
        self.scales = tuple(scales)
        self.modes = tuple(modes)
        self.inside = Sequence(steps, probabilities) if steps else None
        self.scale = math.ceil(max(scales))

    def sample(self, batch_size: int, generator: torch.Generator | None = None) -> LowResolutionParams:
        draws = Draws(batch_size, generator)
        index = torch.tensor([MODES.index(mode) for mode in self.modes])
        return LowResolutionParams(
            scale=torch.tensor(self.scales)[draws.choice(self.weights)],
            reduce_mode=index[draws.choice((1.0,) * len(self.modes))],
            inside=self.inside.sample(batch_size, generator) if self.inside else None,
        )

    def apply(self, hq: Tensor, params: LowResolutionParams) -> Tensor:  # type: ignore[override]
        check_images(hq)
        lq = to_8_bits(hq)
        alike = torch.stack([params.scale, params.reduce_mode.float()], dim=1)
        for scale, mode in alike.unique(dim=0).tolist():
            chosen = (alike == torch.tensor([scale, mode])).all(dim=1).nonzero()[:, 0]
            index = chosen.to(hq.device, non_blocking=True)
            degraded = self._at(
                scale, MODES[int(mode)], lq[index], params.inside and params.inside.select(chosen)
            )
            lq = lq.index_copy(0, index, degraded)
        return lq

    def _at(self, scale: float, mode: str, hq: Tensor, inside: CompositeParams | None) -> Tensor:
        height, width = hq.shape[2:]
        small = _reduced(hq, max(1, round(height / scale)), max(1, round(width / scale)), mode)
        if self.inside and inside:
            small = self.inside.apply(small, inside)
        return pillow_bicubic(small, height, width)


def _reduced(image: Tensor, height: int, width: int, mode: str) -> Tensor:
    if mode == "bicubic":
        return pillow_bicubic(image, height, width)
    if mode == "area":
        return to_8_bits(F.adaptive_avg_pool2d(image, (height, width)))
    return to_8_bits(antialiased(image, height, width, "bilinear"))
