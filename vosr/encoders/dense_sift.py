"""Dense SIFT tokens: local gradient statistics that need no weights."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from vosr.encoders.base import Encoder
from vosr.encoders.resize import resize_square

_ANGLES = 8
_CELLS = 4  # per descriptor and axis
_FLOOR = 1e-3  # cell gradients well below one 8-bit step count as flat
# Entries of a token over photographs, rounded: RootSIFT entry, mean colour, log mean gradient.
_SIFT_MEAN, _SIFT_STD = 0.07, 0.055
_COLOR_MEAN, _COLOR_STD = 0.42, 0.25
_LOG_MEAN, _LOG_STD = -4.5, 0.9


class DenseSIFT(Encoder):
    """Dense SIFT descriptors with local colour and contrast: fixed, no download.

    The image is resized to a square (docs/method.md#inputs) and slightly blurred. Per token: 4 x 4 cells, each a
    triangle-weighted histogram of gradient directions in 8 bins, normalised together (RootSIFT; flat regions
    give zeros instead of amplified noise), then the mean colour and the log of the mean gradient, which that
    normalisation would lose. Neighbouring tokens share half of their cells. Entries are standardised to about
    zero mean and unit variance. Z = 132; always computed in float32.

    Args:
        input_size: side of the square, in pixels; a multiple of ``2 * grid``.
        grid: tokens per axis, M = grid * grid.
        sigma: blur before the gradients, in pixels.

    Raises:
        ValueError: ``input_size`` is not a multiple of ``2 * grid``, or ``sigma`` is not positive.
    """

    kernel: Tensor

    def __init__(self, input_size: int = 128, grid: int = 8, sigma: float = 1.0) -> None:
        super().__init__()
        if grid < 1 or input_size < 1 or input_size % (2 * grid):
            raise ValueError(f"input_size must be a multiple of 2 * grid = {2 * grid}, not {input_size}.")
        if not sigma > 0:
            raise ValueError(f"sigma must be positive, not {sigma}.")
        self.input_size = input_size
        self.grid = grid
        self.dim = _ANGLES * _CELLS**2 + 4
        radius = math.ceil(3 * sigma)
        kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
        self.register_buffer("kernel", kernel / kernel.sum(), persistent=False)

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        with torch.autocast(image.device.type, enabled=False):
            image = resize_square(image.float(), self.input_size)
            cells = self._cell_histograms(image)
            around = F.pad(cells, (1, 1, 1, 1), mode="replicate")
            blocks = F.unfold(around, _CELLS, stride=2)  # (B, 8 * 16, M)
            sift = (root_sift(blocks) - _SIFT_MEAN) / _SIFT_STD
            color = (F.adaptive_avg_pool2d(image, self.grid).flatten(2) - _COLOR_MEAN) / _COLOR_STD
            gradient = F.avg_pool2d(cells.sum(1, keepdim=True), 2).flatten(2)
            contrast = ((gradient + _FLOOR).log() - _LOG_MEAN) / _LOG_STD
            return torch.cat([sift, color, contrast], dim=1).mT.contiguous()

    def _cell_histograms(self, image: Tensor) -> Tensor:
        """Mean gradient by direction in each cell, (B, 8, 2 * grid, 2 * grid)."""
        grey = image.mul(image.new_tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)
        histograms = direction_histograms(self._blur(grey))
        # Shrinking with antialias weights each cell's surroundings with a triangle: SIFT's bilinear pooling.
        return F.interpolate(histograms, size=(2 * self.grid,) * 2, mode="bilinear", antialias=True)

    def _blur(self, grey: Tensor) -> Tensor:
        """Separable Gaussian blur as a sum of shifts: far faster on CPU than a one-channel conv2d."""
        radius = len(self.kernel) // 2
        for axis, pad in ((-1, (radius, radius, 0, 0)), (-2, (0, 0, radius, radius))):
            padded, length = F.pad(grey, pad, mode="replicate"), grey.shape[axis]
            grey = torch.zeros_like(grey)
            for offset, weight in enumerate(self.kernel):
                grey = grey + weight * padded.narrow(axis, offset, length)
        return grey


def direction_histograms(grey: Tensor) -> Tensor:
    """Gradient magnitude of each pixel, shared linearly between the two nearest of 8 directions.

    Args:
        grey: (B, 1, H, W).

    Returns:
        (B, 8, H, W), whose sum over the directions is the magnitude per pixel.
    """
    padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    dx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    dy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    magnitude = (dx.square() + dy.square()).sqrt()  # ONNX has no hypot
    angle = torch.atan2(dy, dx) * (_ANGLES / (2 * math.pi))  # (-4, 4]
    lower = angle.floor()
    upper_share = angle - lower
    index = lower.long() % _ANGLES
    out = grey.new_zeros(grey.shape[0], _ANGLES, *grey.shape[-2:])
    out.scatter_(1, index, magnitude * (1 - upper_share))
    return out.scatter_add_(1, (index + 1) % _ANGLES, magnitude * upper_share)


def root_sift(histogram: Tensor) -> Tensor:
    """RootSIFT: unit length, entries clipped to 0.2, unit sum, square root; zeros where there is no gradient.

    Args:
        histogram: non-negative, (B, entries, M).
    """
    floor = _FLOOR * math.sqrt(histogram.shape[1]) / _ANGLES
    unit = histogram / histogram.norm(dim=1, keepdim=True).add(floor)
    unit = unit.clamp_max(0.2)
    return (unit / unit.sum(dim=1, keepdim=True).add(floor)).sqrt()
