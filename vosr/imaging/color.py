"""Wavelet colour correction of a restored image against the enlarged input (docs/method.md#colour-correction)."""

import torch.nn.functional as F
from torch import Tensor

WAVELET_LEVELS = 5
WAVELET_REACH = 2**WAVELET_LEVELS - 1
"""Pixels around a pixel that its low frequencies depend on."""


def wavelet(image: Tensor, reference: Tensor) -> Tensor:
    """High frequencies of ``image`` on the low frequencies of ``reference``; both (B, 3, H, W)."""
    return image - _low_frequencies(image) + _low_frequencies(reference)


def _low_frequencies(image: Tensor) -> Tensor:
    """À-trous smoothing: a 3 x 3 binomial blur whose taps lie 1, 2, 4, … pixels apart."""
    weights = image.new_tensor([0.25, 0.5, 0.25])
    for level in range(WAVELET_LEVELS):
        step = 2**level
        for kernel in (weights.view(1, 1, 1, 3), weights.view(1, 1, 3, 1)):
            vertical = kernel.shape[2] == 3
            padding = (0, 0, step, step) if vertical else (step, step, 0, 0)
            padded = F.pad(image, padding, mode="replicate")
            dilation = (step, 1) if vertical else (1, step)
            image = F.conv2d(padded, kernel.expand(3, 1, -1, -1), dilation=dilation, groups=3)
    return image
