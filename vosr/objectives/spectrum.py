"""Lines in the spectrum of an image's error, which its cells leave."""

import torch
from torch import Tensor

from vosr.objectives.base import Loss
from vosr.objectives.image import ImageLoss

_BESIDE = (-4, -3, -2, 2, 3, 4)
"""Neighbours of a line, in bins: a Hann window spreads it over one bin on each side."""

_INVISIBLE = 0.5 / 255
"""Standard deviation of an error that rounding hides; it counts as power at all frequencies."""


class SpectralLines(ImageLoss):
    """Power of the error at the period of the cells and its half, above that of the frequencies beside it.

    A pattern whose sign changes from cell to cell has no mean over the cells, so ``mesh`` does not count it, but it
    shows all the same. Per axis and period the power, averaged over the other axis, divided by that of its neighbours
    (constant to the gradient), minus 1 where above; 0 for an error without lines.

    Args:
        period: side of a cell in pixels; even, and the image's sides are multiples of it and at least ten times as
            long.

    Raises:
        ValueError: an odd or too small period.
    """

    def __init__(self, period: int = 8) -> None:
        super().__init__()
        if period < 4 or period % 2:
            raise ValueError(f"period must be an even number from 4, not {period}.")
        self.period = period

    def forward(self, restored: Tensor, hq: Tensor) -> Loss:
        error = restored.float() - hq.float()
        excess = torch.stack([(self._ratios(axis) - 1).relu().mean() for axis in (error, error.mT)]).mean()
        return Loss(excess, {"lines": excess.detach()})

    def _ratios(self, error: Tensor) -> Tensor:
        """Power over that of the neighbours along the last axis, (periods, B)."""
        length = error.shape[3]
        if length % self.period or length < 10 * self.period:
            raise ValueError(
                f"An image of {length} px has no line of period {self.period} px that stands clear of its neighbours."
            )
        window = torch.hann_window(length, device=error.device)
        rows = (error - error.mean(3, keepdim=True)) * window
        power = torch.fft.rfft(rows).abs().square().mean((1, 2))  # (B, length // 2 + 1)
        power = power + _INVISIBLE**2 * window.square().sum()
        lines = [length // self.period, 2 * length // self.period]
        beside = torch.stack([power[:, [line + step for step in _BESIDE]].mean(1) for line in lines])
        return power[:, lines].T / beside.detach()
