"""Flicker of a restored film."""

import torch
from torch import Tensor

from vosr.metrics.base import Metric
from vosr.metrics.protocol import studio_luma


class Flicker(Metric):
    """Flicker: change between neighbouring frames beyond that of the reference, at the same pixel, mean over a film.

    In levels of 255, [0, 219], lower is better; 0: nothing changes more than it does in the reference. Takes RGB frames
    in order, one film a batch, measured on BT.601 luma of studio range; the mean is over films. Source: ours, the
    one-sided temporal difference error.
    """

    title = "flicker"
    digits = 3
    low, high = 0.0, 219.0
    over = "film"
    total: Tensor
    films: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("films", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, restored: Tensor, reference: Tensor | None = None, lq: Tensor | None = None) -> None:
        restored, reference, _ = self.checked(restored, reference, lq)
        assert reference is not None
        if len(restored) < 2:
            return
        excess = _changes(restored) - _changes(reference)
        self.total = self.total + excess.clamp_min(0).mean(dtype=torch.float64)
        self.films = self.films + 1

    def compute(self) -> Tensor:
        return (self.total / self.films).float()


def _changes(frames: Tensor) -> Tensor:
    return (studio_luma(frames).diff(dim=0) * 255).abs()
