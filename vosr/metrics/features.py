"""A perceptual distance without weights: unit-normalised energies of oriented filters over four octaves."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vosr.metrics.base import PairMetric
from vosr.metrics.protocol import studio_luma

OCTAVE_WEIGHTS = (1.0, 0.5, 0.25, 0.125)
ORIENTATIONS, SIDE = 6, 9
WAVELENGTH, SPREAD = 4.0, 2.0
"""Of the Gabor filters, in pixels of each octave."""

FLOOR = 0.01
"""Constant channel beside the energies, for luma in [0, 1]: contrast far below it is not seen."""


def gabor_filters() -> Tensor:
    """Even filters, then odd ones, (2 x 6, 1, 9, 9), without mean; a wave that fits gives its amplitude."""
    axis = torch.arange(SIDE, dtype=torch.float64) - SIDE // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    window = torch.exp(-(x**2 + y**2) / (2 * SPREAD**2))
    window = window / window.sum()
    even, odd = [], []
    for i in range(ORIENTATIONS):
        angle = math.pi * i / ORIENTATIONS
        phase = 2 * math.pi / WAVELENGTH * (x * math.cos(angle) + y * math.sin(angle))
        even.append(2 * window * (phase.cos() - (window * phase.cos()).sum()))
        odd.append(2 * window * phase.sin())
    return torch.stack(even + odd).unsqueeze(1).float()


def energies(image: Tensor, filters: Tensor) -> list[Tensor]:
    """Amplitudes (B, 6, h, w) of each octave, finest first, of luma (B, 1, H, W) in [0, 1]; phases do not matter."""
    maps = []
    for octave in range(len(OCTAVE_WEIGHTS)):
        if octave:
            image = F.avg_pool2d(image, 2, ceil_mode=True, count_include_pad=False)
        even, odd = F.conv2d(F.pad(image, (SIDE // 2,) * 4, mode="replicate"), filters).chunk(2, dim=1)
        maps.append((even.square() + odd.square() + 1e-12).sqrt())
    return maps


def features(image: Tensor, filters: Tensor) -> list[Tensor]:
    """Unit vectors per pixel at each octave: its energies, those of all coarser octaves, and the floor."""
    maps = energies(image, filters)
    vectors = []
    for i, own in enumerate(maps):
        size = own.shape[-2:]
        coarser = [F.interpolate(m, size, mode="bilinear", align_corners=False) for m in maps[i + 1 :]]
        floor = torch.full_like(own[:, :1], FLOOR)
        vectors.append(F.normalize(torch.cat([own, *coarser, floor], dim=1), dim=1))
    return vectors


class FeatureDistance(PairMetric):
    """Perceptual distance that needs no weights: LPIPS' distance on energies of Gabor filters.

    [0, 3.75], lower is better. Takes BT.601 luma, whole image. Amplitudes of six orientations at four octaves; at each
    octave the vector of its own and all coarser amplitudes and a constant floor is normalised to length 1, so that
    missing detail and invented detail both turn it; squared difference, mean over pixels, octaves weighted 1, 1/2,
    1/4, 1/8. Source: ours, after Zhang et al. 2018 (unit-normalised features) and Simoncelli and Freeman 1995 (oriented
    energies). It orders bicubic, SPAN, Real-ESRGAN and this package's models as VGG features do
    (``benchmarks/peers.py``).
    """

    title = "feature distance"
    digits = 3
    low, high = 0.0, 2 * sum(OCTAVE_WEIGHTS)
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", gabor_filters(), persistent=False)

    def compare(self, restored: Tensor, reference: Tensor) -> Tensor:
        maps = zip(
            features(studio_luma(restored), self.filters), features(studio_luma(reference), self.filters)
        )
        distances = [(a - b).square().sum(1).mean(dim=(1, 2)) for a, b in maps]
        return torch.stack([w * d for w, d in zip(OCTAVE_WEIGHTS, distances)]).sum(0)
