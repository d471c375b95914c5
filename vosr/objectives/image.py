"""A loss on the student's decoded one-step image, beside the distillation objective."""

from abc import ABC, abstractmethod

import torch
from kornia.color import rgb_to_grayscale
from torch import Tensor, nn
from torch.nn import functional as F

from vosr.core.registry import Component
from vosr.objectives.base import Loss


class ImageLoss(Component, nn.Module, ABC):
    """Compares restored images with their clean originals."""

    @abstractmethod
    def forward(self, restored: Tensor, hq: Tensor) -> Loss:
        """Loss of ``restored`` (B, 3, H, W), near [0, 1] and not clamped, against ``hq`` in [0, 1]."""


class FidelitySharpness(ImageLoss):
    """Keeps a small student faithful and about as sharp as the original.

    The sum of three terms:

    - ``fidelity * mean(log MSE)``: decibels of PSNR. Alone it is lowest for a blurred image.
    - ``sharpness * mean((E(restored) - E(hq))^2 / mean(E(hq))^2)``, E the luma's mean absolute gradient over
      windows: asks for the original's amount of detail in each place, not for its pixels. It is squared because
      detail is heavy-tailed: the median place has far less of it than the mean.
    - ``repetition`` times the energy of the error that all patches share over the MSE: detail must not be one
      pattern stamped on every patch, which is the cheapest way to raise E.

    Args:
        fidelity: weight of the logarithm of the mean squared error (0.23 per decibel).
        sharpness: weight of the relative squared error of edge strength.
        repetition: weight of the pattern that patches share.
        window: side of the windows in pixels, half overlapping.
        period: side of a patch in pixels, divides ``window`` and the image's sides: edge strength is compared
            apart for each position in a patch, so that detail does not gather on patch borders.
        grain: edge strength of fine grain, added in quadrature to E(hq): photographs have some everywhere,
            procedural images none.

    Raises:
        ValueError: a period that does not divide the window, or the image.
    """

    def __init__(
        self,
        fidelity: float = 1.0,
        sharpness: float = 1.0,
        repetition: float = 30.0,
        window: int = 32,
        period: int = 16,
        grain: float = 0.014,
    ) -> None:
        super().__init__()
        if period < 1 or window < period or window % period:
            raise ValueError(f"period must divide window, not {period} and {window}.")
        self.fidelity = fidelity
        self.sharpness = sharpness
        self.repetition = repetition
        self.window = window
        self.period = period
        self.grain = grain

    def forward(self, restored: Tensor, hq: Tensor) -> Loss:
        if hq.shape[-1] % self.period or hq.shape[-2] % self.period:
            raise ValueError(f"Images of {tuple(hq.shape[-2:])} are no multiple of period {self.period}.")
        restored, hq = restored.float(), hq.float()
        mse = (restored - hq).square().flatten(1).mean(1)
        wanted = (edge_strength(hq, self.window, self.period).square() + self.grain**2).sqrt()
        error = (edge_strength(restored, self.window, self.period) - wanted).square().mean((1, 2))
        sharpness = (error / (wanted.mean((1, 2)).square() + FLOOR**2)).mean()
        repetition = shared_pattern(restored - hq, self.period) / mse.detach().mean().clamp_min(1e-8)
        total = (
            self.fidelity * torch.log(mse + 1e-5).mean()
            + self.sharpness * sharpness
            + self.repetition * repetition
        )
        terms = {"mse": mse.mean(), "sharpness": sharpness, "repetition": repetition}
        return Loss(total, {name: value.detach() for name, value in terms.items()})


FLOOR = 0.02
"""Edge strength below which an image counts as flat."""


def edge_strength(image: Tensor, window: int, period: int) -> Tensor:
    """Sum of the mean absolute horizontal and vertical luma differences in windows, (B, period, windows).

    The mean of horizontal differences is taken apart for each column of a patch, that of vertical ones for each
    row; the differences to pixels outside the image are left out.

    Args:
        image: (B, 3, H, W), H and W multiples of ``period``.
        window: side of a window in pixels.
        period: side of a patch in pixels.
    """
    y = rgb_to_grayscale(image)[:, 0]
    return torch.cat([_along_rows(y, window, period), _along_rows(y.mT, window, period)], dim=2) * 2


def _along_rows(y: Tensor, window: int, period: int) -> Tensor:
    """Mean absolute difference of neighbours in a row (B, period, windows); the last patch's last column has none."""
    apart = F.pad(y.diff(dim=-1).abs(), (0, 1)).unflatten(2, (-1, period))  # (B, H, W / period, period)
    if apart.shape[2] > 1:
        apart = apart[:, :, :-1]
    tall, wide = min(window, apart.shape[1]), min(window // period, apart.shape[2])
    stride = max(1, tall // 2), max(1, wide // 2)
    return F.avg_pool2d(apart.permute(0, 3, 1, 2), (tall, wide), stride).flatten(2)


def shared_pattern(error: Tensor, period: int) -> Tensor:
    """Energy of the mean patch of ``error`` (B, C, H, W) without its constant, a scalar."""
    patches = error.unflatten(3, (-1, period)).unflatten(2, (-1, period))
    pattern = patches.mean((0, 2, 4))
    return (pattern - pattern.mean((1, 2), keepdim=True)).square().mean()
