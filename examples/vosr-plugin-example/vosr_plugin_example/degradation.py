"""A degradation: few levels a channel."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vosr.degradations import Degradation, DegradationParams


@dataclass(frozen=True)
class PosteriseParams(DegradationParams):
    """Levels a channel, (B,)."""

    levels: Tensor


class Posterise(Degradation):
    """Rounds each channel to a few levels, as palettes of old do.

    Args:
        levels: least and most levels, drawn for each image.
    """

    def __init__(self, levels: tuple[int, int] = (4, 16)) -> None:
        if not 2 <= levels[0] <= levels[1] <= 256:
            raise ValueError(f"levels must be 2 <= least <= most <= 256, not {levels}.")
        self.levels = levels

    def sample(self, batch_size: int, generator: torch.Generator | None = None) -> PosteriseParams:
        least, most = self.levels
        return PosteriseParams(torch.randint(least, most + 1, (batch_size,), generator=generator))

    def apply(self, hq: Tensor, params: PosteriseParams) -> Tensor:
        steps = (params.levels - 1).view(-1, 1, 1, 1).to(hq)
        rounded = (hq.clamp(0, 1) * steps).round() / steps
        return (rounded * 255).round() / 255
