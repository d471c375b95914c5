"""Pillow's bicubic interpolation on tensors: how inputs are enlarged at inference, so it is part of the model."""

import torch
from torch import Tensor

from vosr.core.resampling import antialiased


def pillow_bicubic(image: Tensor, height: int, width: int) -> Tensor:
    """Resize (B, C, H, W) in [0, 1] with a = -0.5, antialiased, rounded to 8 bits after each of the two passes.

    Within one 8-bit step of ``PIL.Image.resize``, and equal to it in 99 % of the values of white noise.
    """
    if image.device.type == "cpu":
        small = antialiased(_levels(image), height, width, "bicubic")
        return small.to(image.dtype).div_(255)
    wide = _levels(_resized(image * 255, image.shape[2], width) / 255)
    return _resized(wide.to(image.dtype), height, width).round_().clamp_(0, 255).div_(255)


def _levels(image: Tensor) -> Tensor:
    return (image * 255).round_().clamp_(0, 255).to(torch.uint8)


def _resized(image: Tensor, height: int, width: int) -> Tensor:
    if tuple(image.shape[2:]) == (height, width):
        return image
    return antialiased(image, height, width, "bicubic")
