"""A loss on the student's decoded one-step picture, beside the distillation objective."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vosr.component import Component
from vosr.evaluation import luma
from vosr.objectives.base import Loss


class PictureLoss(Component, nn.Module, ABC):
    """Compares restored pictures with their clean originals."""

    @abstractmethod
    def forward(self, restored: Tensor, hq: Tensor) -> Loss:
        """Loss of ``restored`` (B, 3, H, W), near [0, 1] and not clamped, against ``hq`` in [0, 1]."""


class FidelitySharpness(PictureLoss):
    """Keeps a small student faithful and as sharp as the original: PSNR, and the local strength of edges.

    ``fidelity * mean(log MSE) + sharpness * mean((E(restored) - E(hq))^2 / mean(E(hq))^2)``, where E is the luma's mean
    absolute gradient over windows of ``window`` pixels. A mean-squared error alone is lowest for a blurred
    picture; the second term asks for the original's amount of detail in each place, not for its pixels; it is
    squared because detail is heavy-tailed: the median place has far less of it than the mean.

    Args:
        fidelity: weight of the logarithm of the mean squared error (0.23 per decibel).
        sharpness: weight of the relative squared error of edge strength.
        window: side of the windows in pixels, half overlapping.
    """

    def __init__(self, fidelity: float = 1.0, sharpness: float = 0.5, window: int = 32) -> None:
        super().__init__()
        if window < 2:
            raise ValueError(f"window must be at least 2 pixels, not {window}.")
        self.fidelity = fidelity
        self.sharpness = sharpness
        self.window = window

    def forward(self, restored: Tensor, hq: Tensor) -> Loss:
        restored, hq = restored.float(), hq.float()
        mse = (restored - hq).square().flatten(1).mean(1)
        expected = edge_strength(hq, self.window)
        error = (edge_strength(restored, self.window) - expected).square().flatten(1).mean(1)
        relative = error / expected.flatten(1).mean(1).clamp_min(1e-3).square()
        total = self.fidelity * torch.log(mse + 1e-5).mean() + self.sharpness * relative.mean()
        return Loss(total, {"mse": mse.mean().detach(), "sharpness": relative.mean().detach()})


def edge_strength(image: Tensor, window: int) -> Tensor:
    """Mean absolute horizontal and vertical luma difference in half-overlapping windows, (B, 1, h, w).

    Args:
        image: (B, 3, H, W), at least ``window`` pixels along each axis.
        window: side of a window in pixels.
    """
    y = luma(image)
    horizontal, vertical = y.diff(dim=-1)[..., :-1, :], y.diff(dim=-2)[..., :-1]
    return F.avg_pool2d(horizontal.abs() + vertical.abs(), min(window, y.shape[-1] - 1), max(1, window // 2))
