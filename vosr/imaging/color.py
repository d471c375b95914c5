"""Colour correction of a restored picture against the enlarged input (METHOD section 5)."""

import torch
import torch.nn.functional as F
from torch import Tensor

WAVELET_LEVELS = 5


def adain(image: Tensor, reference: Tensor) -> Tensor:
    """Give ``image`` the mean and standard deviation of ``reference`` per channel; both (B, 3, H, W)."""
    mean, std = _statistics(image)
    target_mean, target_std = _statistics(reference)
    return (image - mean) / std * target_std + target_mean


def wavelet(image: Tensor, reference: Tensor, levels: int = WAVELET_LEVELS) -> Tensor:
    """High frequencies of ``image`` on the low frequencies of ``reference``; both (B, 3, H, W)."""
    return image - _low_frequencies(image, levels) + _low_frequencies(reference, levels)


def _statistics(image: Tensor) -> tuple[Tensor, Tensor]:
    mean = image.mean(dim=(2, 3), keepdim=True)
    return mean, image.std(dim=(2, 3), keepdim=True, unbiased=False).clamp_min(1e-5)


def _low_frequencies(image: Tensor, levels: int) -> Tensor:
    """À-trous smoothing: a 3 x 3 binomial blur whose taps lie 1, 2, 4, … pixels apart."""
    weights = image.new_tensor([0.25, 0.5, 0.25])
    for level in range(levels):
        step = 2**level
        for kernel in (weights.view(1, 1, 1, 3), weights.view(1, 1, 3, 1)):
            vertical = kernel.shape[2] == 3
            padding = (0, 0, step, step) if vertical else (step, step, 0, 0)
            padded = F.pad(image, padding, mode="replicate")
            dilation = (step, 1) if vertical else (1, step)
            image = F.conv2d(padded, kernel.expand(3, 1, -1, -1), dilation=dilation, groups=3)
    return image


def apply_color_fix(name: str, image: Tensor, reference: Tensor) -> Tensor:
    """Correct by name (adain, wavelet or none), clamped to [0, 1].

    Raises:
        ValueError: another name.
    """
    fixes = {"adain": adain, "wavelet": wavelet, "none": lambda picture, _: picture}
    if name not in fixes:
        raise ValueError(f"Unknown colour fix {name!r}; choose adain, wavelet or none.")
    with torch.no_grad():
        return fixes[name](image, reference).clamp(0, 1)
