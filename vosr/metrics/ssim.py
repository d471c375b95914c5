"""Structural similarity, single-scale and multi-scale."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vosr.metrics.base import InsideMetric
from vosr.metrics.protocol import studio_luma

WINDOW, SIGMA = 11, 1.5
LUMINANCE, CONTRAST = 0.01**2, 0.03**2
"""Constants C1 and C2 for images in [0, 1]."""

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def ssim_maps(image: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Structural similarity and its contrast-structure factor at every window that lies wholly inside the image.

    torchmetrics pads by reflection and averages over the padded windows too, which the field's scripts do not.

    Args:
        image: (B, 1, H, W) in [0, 1].
        reference: likewise.
    """
    offset = torch.arange(WINDOW, device=image.device, dtype=image.dtype) - WINDOW // 2
    window = torch.exp(-offset.square() / (2 * SIGMA**2))
    window = window / window.sum()
    stack = torch.cat([image, reference, image**2, reference**2, image * reference], dim=1).double()
    stack = stack.flatten(0, 1).unsqueeze(1)
    for shape in ((1, 1, -1, 1), (1, 1, 1, -1)):
        stack = F.conv2d(stack, window.double().view(shape))
    a, b, aa, bb, ab = stack.unflatten(0, (-1, 5)).unbind(1)
    contrast = (2 * (ab - a * b) + CONTRAST) / (aa - a * a + bb - b * b + CONTRAST)
    return (2 * a * b + LUMINANCE) / (a * a + b * b + LUMINANCE) * contrast, contrast


def ssim(image: Tensor, reference: Tensor) -> Tensor:
    """Structural similarity per image (B,) of images (B, 1, H, W) in [0, 1]; NaN below 11 px."""
    if min(image.shape[-2:]) < WINDOW:
        return image.new_full((len(image),), torch.nan)
    return ssim_maps(image, reference)[0].mean(dim=(1, 2, 3))


def ms_ssim(image: Tensor, reference: Tensor) -> Tensor:
    """Multi-scale structural similarity per image (B,) of images (B, 1, H, W) in [0, 1]; NaN below 176 px."""
    if min(image.shape[-2:]) < WINDOW * 2 ** (len(SCALE_WEIGHTS) - 1):
        return image.new_full((len(image),), torch.nan)
    value = image.new_ones(len(image), dtype=torch.float64)
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            image, reference = F.avg_pool2d(image, 2), F.avg_pool2d(reference, 2)
        similarity, contrast = ssim_maps(image, reference)
        last = scale == len(SCALE_WEIGHTS) - 1
        value = value * (similarity if last else contrast).mean(dim=(1, 2, 3)).clamp_min(0) ** weight
    return value


class SSIMY(InsideMetric):
    """Structural similarity on BT.601 luma of studio range (16-235), border left out.

    [-1, 1], higher is better. Data range 255 on 8-bit values; Gaussian window of 11 px, sigma 1.5, population
    covariance, windows wholly inside. Source: Wang et al. 2004, as in BasicSR and MATLAB's original;
    docs/method.md#protocol.

    Args:
        border: pixels left out at each side.
    """

    title = "SSIM-Y"
    low, high = -1.0, 1.0
    higher_is_better = True

    def compare(self, restored: Tensor, reference: Tensor) -> Tensor:
        return ssim(studio_luma(restored), studio_luma(reference))


class MSSSIM(InsideMetric):
    """Multi-scale structural similarity on BT.601 luma of studio range, border left out.

    [0, 1], higher is better. Data range 255 on 8-bit values; five scales halved by 2x2 means, windows as in
    ``ssim_y``. Images whose shorter side inside the border is under 176 px have no value. Source: Wang et al. 2003.

    Args:
        border: pixels left out at each side.
    """

    title = "MS-SSIM"
    low, high = 0.0, 1.0
    higher_is_better = True

    def compare(self, restored: Tensor, reference: Tensor) -> Tensor:
        return ms_ssim(studio_luma(restored), studio_luma(reference))
