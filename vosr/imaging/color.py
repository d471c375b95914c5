"""Colour correction of a restored image against the enlarged input (docs/method.md#colour-correction)."""

import torch
import torch.nn.functional as F
from torch import Tensor

WAVELET_SIGMA = 5.0
WAVELET_REACH = 20
"""Pixels around a pixel that its low frequencies depend on: four standard deviations."""
ATROUS_LEVELS = 5
ATROUS_REACH = 2**ATROUS_LEVELS - 1


def wavelet(image: Tensor, reference: Tensor) -> Tensor:
    """High frequencies of ``image`` on the low frequencies of ``reference``, both (B, 3, H, W).

    What lies below is one Gaussian of a standard deviation of 5 pixels, as in the reference. Other projects call
    :func:`atrous` by this name.
    """
    return gaussian_blur(reference) + image - gaussian_blur(image)


def atrous(image: Tensor, reference: Tensor) -> Tensor:
    """The same with a low pass of five levels that reaches further: a standard deviation of about 13 pixels."""
    return image - _five_levels(image) + _five_levels(reference)


def gaussian_blur(image: Tensor) -> Tensor:
    """Gaussian of 5 pixels, cut off at 20, with the border reflected (B, C, H, W)."""
    offset = torch.arange(-WAVELET_REACH, WAVELET_REACH + 1, device=image.device, dtype=image.dtype)
    weights = torch.exp(-0.5 * (offset / WAVELET_SIGMA).square())
    kernel = (weights / weights.sum()).expand(image.shape[1], 1, 1, -1)
    for _ in range(2):  # along rows, then, turned over, along columns
        index = _reflected(image.shape[3]).to(image.device)
        image = F.conv2d(image[..., index], kernel, groups=image.shape[1]).mT
    return image


def _reflected(side: int) -> Tensor:
    """Which of ``side`` positions each shows, from the reach before the first to the reach behind the last."""
    position = torch.arange(-WAVELET_REACH, side + WAVELET_REACH)
    period = max(2 * (side - 1), 1)
    folded = position % period
    return torch.minimum(folded, period - folded).clamp_max(side - 1)


def _five_levels(image: Tensor) -> Tensor:
    """À-trous smoothing: a 3 x 3 binomial blur whose taps lie 1, 2, 4, … pixels apart."""
    weights = image.new_tensor([0.25, 0.5, 0.25])
    for level in range(ATROUS_LEVELS):
        step = 2**level
        for kernel in (weights.view(1, 1, 1, 3), weights.view(1, 1, 3, 1)):
            vertical = kernel.shape[2] == 3
            padding = (0, 0, step, step) if vertical else (step, step, 0, 0)
            padded = F.pad(image, padding, mode="replicate")
            dilation = (step, 1) if vertical else (1, step)
            image = F.conv2d(padded, kernel.expand(3, 1, -1, -1), dilation=dilation, groups=3)
    return image
