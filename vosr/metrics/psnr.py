"""Peak signal-to-noise ratio."""

from typing import ClassVar

import torch
from torch import Tensor

from vosr.metrics.base import ImageMetric, InsideMetric
from vosr.metrics.protocol import studio_luma

SMALLEST_ERROR = 1e-10
"""Mean squared error of equal images, so that they get 100 dB instead of infinity."""


def psnr(image: Tensor, reference: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, per image (B,), of images in [0, 1]; peak 1, at most 100 dB."""
    error = (image - reference).double().square().mean(dim=(1, 2, 3))
    return -10 * torch.log10(error.clamp_min(SMALLEST_ERROR))


class Decibels(ImageMetric):
    """What all figures of :func:`psnr` share."""

    unit: ClassVar[str] = "dB"
    digits: ClassVar[int] = 2
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 100.0
    higher_is_better = True


class PSNRY(Decibels, InsideMetric):
    """PSNR on BT.601 luma of studio range (16-235), border left out.

    In dB, [0, 100], higher is better (100: equal images). Of 8-bit values, peak 255; Y itself is not rounded, as in
    BasicSR. Full-range luma would give 1.32 dB less. Source: docs/method.md#protocol.

    Args:
        border: pixels left out at each side.
    """

    title = "PSNR-Y"

    def compare(self, restored: Tensor, reference: Tensor) -> Tensor:
        return psnr(studio_luma(restored), studio_luma(reference))


class PSNRRGB(Decibels, InsideMetric):
    """PSNR over the three channels of RGB together, border left out.

    In dB, [0, 100], higher is better (100: equal images). Of 8-bit values, peak 255. Source: the usual definition, that
    of ``skimage.metrics.peak_signal_noise_ratio``.

    Args:
        border: pixels left out at each side.
    """

    title = "PSNR-RGB"

    def compare(self, restored: Tensor, reference: Tensor) -> Tensor:
        return psnr(restored, reference)
