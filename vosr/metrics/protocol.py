"""The evaluation protocol, in one place: 8-bit rounding, luma of BT.601 studio range, border.

These are the conventions of the field's super-resolution scripts (docs/method.md#protocol). PSNR on full-range luma
is 20 log10(255 / 219) = 1.32 dB lower than on this one, so figures say which luma they are of.
"""

import torch
from torch import Tensor

BORDER = 4
"""Pixels that PSNR and SSIM leave out at each side."""

SCALE = 4
"""Enlargement of the published benchmarks."""

LUMA = "BT.601 luma, studio range 16-235"


def eight_bit(image: Tensor) -> Tensor:
    """float32 in [0, 1] on the grid of 8-bit values: what a saved file holds.

    Args:
        image: (B, 3, H, W), uint8, or floating point in [0, 1]; values outside are clipped.
    """
    if image.dtype == torch.uint8:
        return image.float() / 255
    return (image.float().clamp(0, 1) * 255).round() / 255


def studio_luma(image: Tensor) -> Tensor:
    """BT.601 luma of studio range, (B, 1, H, W) in [16/255, 235/255], of RGB (B, 3, H, W) in [0, 1]."""
    weights = image.new_tensor([65.481, 128.553, 24.966]).view(1, 3, 1, 1)
    return ((image * weights).sum(1, keepdim=True) + 16) / 255


def without_border(image: Tensor, border: int = BORDER) -> Tensor:
    """``image`` (..., H, W) without ``border`` pixels at each side.

    Raises:
        ValueError: nothing would be left.
    """
    height, width = image.shape[-2:]
    if min(height, width) <= 2 * border:
        raise ValueError(f"An image of {width}x{height} px has nothing inside a border of {border} px.")
    return image[..., border : height - border, border : width - border]
