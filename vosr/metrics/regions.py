"""What a restorer must leave alone: flat areas, grey areas, mean colours and the input's own low frequencies."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vosr.core.resampling import antialiased
from vosr.metrics.base import ImageMetric
from vosr.metrics.protocol import SCALE
from vosr.metrics.psnr import Decibels, psnr

WINDOW = 9
"""Side in pixels of the neighbourhood that has to be flat or grey."""

FLAT_LEVELS, GREY_LEVELS = 1.0, 2.0
"""Largest range of a channel in a flat neighbourhood, and of the channels in a grey pixel, of 255."""

SMALLEST_REGION = 64
"""Pixels below which there is nothing to measure."""


def reduced(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Antialiased bicubic reduction (as MATLAB's imresize inside the image) of (B, 3, H, W) to ``size``, in [0, 1]."""
    return antialiased(image, *size, "bicubic").clamp(0, 1)


def enlarged(lq: Tensor, like: Tensor) -> Tensor:
    """The LQ image at the size of the restored one."""
    if lq.shape[-2:] == like.shape[-2:]:
        return lq
    return F.interpolate(lq, like.shape[-2:], mode="bilinear", align_corners=False)


def mean_over(values: Tensor, region: Tensor) -> Tensor:
    """Mean of ``values`` (B, 1, H, W) over the pixels of ``region`` per image (B,); NaN of a tiny region."""
    count = region.sum(dim=(1, 2, 3))
    mean = (values * region).sum(dim=(1, 2, 3)) / count.clamp_min(1)
    return mean.masked_fill(count < SMALLEST_REGION, torch.nan)


def flat_region(image: Tensor) -> Tensor:
    """Pixels whose whole neighbourhood is flat in every channel: bool (B, 1, H - 8, W - 8)."""
    spread = F.max_pool2d(image, WINDOW, 1) + F.max_pool2d(-image, WINDOW, 1)
    return spread.amax(dim=1, keepdim=True) * 255 <= FLAT_LEVELS + 1e-3


class AgainstInput(ImageMetric):
    """A figure that the LQ image is enough for."""

    needs_reference = False
    needs_lq = True


class Consistency(Decibels, AgainstInput):
    """PSNR in RGB of the restored image, reduced to the size of the LQ image, against the LQ image.

    In dB, [0, 100], higher is better. Takes RGB, peak 255; antialiased bicubic reduction; an LQ image that has been
    enlarged is reduced with it. Over 45 dB is as good as the same for a cleanly reduced input; of noisy or compressed
    input a clean result cannot agree with the noise, so compare only results of the same input. Source: LR-PSNR of
    Lugmayr et al. (NTIRE 2021, learning the super-resolution space).

    Args:
        scale: reduction where the LQ image has the size of the restored one.
    """

    title = "consistency"

    def __init__(self, scale: int = SCALE) -> None:
        super().__init__()
        self.scale = scale

    def score(self, restored: Tensor, reference: Tensor | None, lq: Tensor | None) -> Tensor:
        assert lq is not None
        if lq.shape == restored.shape:
            height, width = (max(1, round(side / self.scale)) for side in lq.shape[-2:])
            lq = reduced(lq, (height, width))
        return psnr(reduced(restored, (lq.shape[-2], lq.shape[-1])), lq)


class Flatness(AgainstInput):
    """Ripple in flat areas: standard deviation of the restored image around its local mean where nothing is to be seen.

    In levels of 255, [0, 127.5], lower is better; 0: flat stays flat. Takes RGB, the three channels together. Flat is a
    pixel whose 9 x 9 neighbourhood varies by at most one level in each channel of the reference, or of the LQ image
    where there is no reference; images without flat areas have no value. A constant change of colour does not count
    (``colour_shift`` measures it). Source: ours.
    """

    title = "flatness"
    digits = 2
    low, high = 0.0, 127.5

    def score(self, restored: Tensor, reference: Tensor | None, lq: Tensor | None) -> Tensor:
        assert lq is not None
        truth = enlarged(lq, restored) if reference is None else reference
        if min(truth.shape[-2:]) < WINDOW:
            return truth.new_full((len(truth),), torch.nan)
        levels = restored.double() * 255
        variance = F.avg_pool2d(levels.square(), WINDOW, 1) - F.avg_pool2d(levels, WINDOW, 1).square()
        return mean_over(variance.mean(1, keepdim=True).clamp_min(0), flat_region(truth)).sqrt()


class Grey(AgainstInput):
    """Colour where the input has none: mean range of the restored image's channels in grey areas of the LQ image.

    In levels of 255, [0, 255], lower is better; 0: grey stays grey. Takes RGB. Grey is a pixel whose 9 x 9
    neighbourhood has channels that differ by at most two levels; images without grey areas have no value. Source: ours.
    """

    title = "grey"
    digits = 2
    low, high = 0.0, 255.0

    def score(self, restored: Tensor, reference: Tensor | None, lq: Tensor | None) -> Tensor:
        assert lq is not None
        colour = F.max_pool2d(_chroma(enlarged(lq, restored)), WINDOW, 1, WINDOW // 2)
        return mean_over(_chroma(restored), colour <= GREY_LEVELS + 1e-3)


class ColourShift(AgainstInput):
    """Change of the mean colour of the whole image: the largest of the three channels' differences.

    In levels of 255, [0, 255], lower is better. Takes RGB. Against the reference, or against the LQ image where
    there is none. Fine patterns must keep it too. Source: ours.
    """

    title = "colour shift"
    digits = 2
    low, high = 0.0, 255.0

    def score(self, restored: Tensor, reference: Tensor | None, lq: Tensor | None) -> Tensor:
        truth = lq if reference is None else reference
        assert truth is not None
        difference = restored.double().mean(dim=(2, 3)) - truth.double().mean(dim=(2, 3))
        return difference.abs().amax(dim=1) * 255


def _chroma(image: Tensor) -> Tensor:
    """Range of the channels of each pixel in levels of 255, (B, 1, H, W)."""
    return (image.amax(dim=1, keepdim=True) - image.amin(dim=1, keepdim=True)) * 255
