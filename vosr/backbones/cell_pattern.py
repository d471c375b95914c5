"""Removal of the pattern that all cells of an unshuffled image share, the mesh of networks on such latents."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vosr.backbones.image_detail import averages, detail

LARGEST = 0.7
"""Largest detail that is counted, in units of the output: an edge is larger, and leaves no ghosts in its neighbours."""

REACH = 1
"""Cells to either side in each of the two passes over neighbouring cells."""

PASSES = 3
"""The limit hides part of the pattern in noise; further passes find most of what is left."""


def without_cell_pattern(output: Tensor, lq: Tensor, residual_std: float, factor: int, period: int) -> Tensor:
    """Subtract from a residual what repeats from cell to cell, unless the LQ image repeats likewise.

    A network whose latents are cells of pixels may add the same faint pattern to every cell; a squared error hardly
    counts it and the eye sees it in smooth areas. Here the mean detail of neighbouring cells, phase by phase, is the
    pattern; its projection on the pattern of the LQ image stays (noise that the residual removes, texture that it
    sharpens), the rest goes. Colours and gradients are kept: a pattern has no mean, and symmetric smoothing over
    one period leaves no detail of a ramp. Computed in float32; the gradient is exact.

    Args:
        output: (B, 3 factor^2, h, w), residual of unshuffled images in units of ``residual_std``.
        lq: likewise, the LQ latent.
        residual_std: std of the residual in latent units.
        factor: of the pixel unshuffling.
        period: pixels of a cell; a multiple of ``factor`` that divides the image's sides.
    """
    with torch.autocast(output.device.type, enabled=False):
        image = before = F.pixel_shuffle(output.float(), factor)
        allowed = _pattern(F.pixel_shuffle(lq.float(), factor) / residual_std, period)
        energy = allowed.square().sum(2, keepdim=True) + 1e-6
        for _ in range(PASSES):
            pattern = _pattern(image, period)
            share = (pattern * allowed).sum(2, keepdim=True) / energy
            image = image - F.pixel_shuffle((pattern - share * allowed).flatten(1, 2), period)
        removed = F.pixel_unshuffle(image - before, factor)
    return output + removed.to(output.dtype)


def _pattern(image: Tensor, period: int) -> Tensor:
    """Mean detail of neighbouring cells, (B, 3, period^2, H / period, W / period), without a mean over the cell."""
    cells = F.pixel_unshuffle(detail(image, period).clamp(-LARGEST, LARGEST), period)
    phases = averages(cells, 2 * REACH + 1, padded=True).unflatten(1, (image.shape[1], -1))
    return phases - phases.mean(2, keepdim=True)
