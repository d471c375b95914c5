"""Scalings and quarter turns of images and their latents, with which an encoder should commute.

Latents that commute with them are smoother, and a flow on them is easier to learn: EQ-VAE (Kouzelis et al. 2025,
arXiv 2502.09509).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

LEAST_SCALE = 0.25


@dataclass(frozen=True)
class SpatialMap:
    """A reduction after quarter turns.

    Attributes:
        scale: of the sides, at most 1.
        turns: counter-clockwise.
    """

    scale: float
    turns: int

    @classmethod
    def drawn(cls, generator: torch.Generator) -> "SpatialMap":
        """A scale in [1/4, 1) and a number of turns, both uniform."""
        share, turns = (float(torch.rand((), generator=generator)) for _ in range(2))
        return cls(LEAST_SCALE + (1 - LEAST_SCALE) * share, int(4 * turns))

    def __call__(self, x: Tensor, unit: int) -> Tensor:
        """``x`` (B, C, H, W) turned and reduced with antialiasing, in float32.

        Args:
            x: an image, or its latent.
            unit: values of ``x`` per latent cell along each axis, so that both keep fitting each other.
        """
        x = x.float().rot90(self.turns, (2, 3))
        sides = [max(1, round(self.scale * (side // unit))) * unit for side in x.shape[-2:]]
        return F.interpolate(x, size=sides, mode="bilinear", antialias=True, align_corners=False)
