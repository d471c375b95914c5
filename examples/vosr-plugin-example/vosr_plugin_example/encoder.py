"""An encoder without weights: colours of a coarse grid."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vosr.encoders import Encoder


class ColourLayout(Encoder):
    """Mean and std of the colours in each cell of a grid, one token per cell.

    Args:
        grid: cells per axis, M = grid * grid.
    """

    dim = 6

    def __init__(self, grid: int = 8) -> None:
        super().__init__()
        if grid < 1:
            raise ValueError(f"grid must be at least 1, not {grid}.")
        self.grid = grid

    def forward(self, image: Tensor) -> Tensor:
        mean = F.adaptive_avg_pool2d(image, self.grid)
        square = F.adaptive_avg_pool2d(image.square(), self.grid)
        std = (square - mean.square()).clamp_min(0).sqrt()
        return torch.cat([mean, std], dim=1).flatten(2).mT
