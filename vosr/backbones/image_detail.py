"""Detail of an image: what a smooth surface does not explain."""

import torch
import torch.nn.functional as F
from torch import Tensor


def detail(image: Tensor, period: int) -> Tensor:
    """Difference of ``image`` (B, C, H, W) to two moving averages over ``period`` pixels along each axis.

    Zero where the image is flat or a ramp, but for its last ``period`` pixels; a pattern of that period stays whole.
    """
    smooth = F.pad(image, (period - 1,) * 4, mode="replicate")
    return image - averages(smooth, period, padded=False)


def averages(x: Tensor, window: int, padded: bool) -> Tensor:
    """Two moving averages along each of the last two axes; as products with banded matrices, a pooling is slower.

    Args:
        x: (..., H, W).
        window: odd where ``padded``.
        padded: whether the size is kept, by shorter windows at the ends; else it shrinks by 2 (window - 1).
    """
    rows, columns = (_band(size, window, padded, x) for size in x.shape[-2:])
    return rows @ x @ columns.mT


def _band(size: int, window: int, padded: bool, like: Tensor) -> Tensor:
    """The two averages as one matrix."""
    at = torch.arange(size, device=like.device)
    if padded:
        band = ((at[:, None] - at).abs() <= window // 2).to(like.dtype)
        band = band / band.sum(1, keepdim=True)
        return band @ band
    apart = at - torch.arange(size - 2 * (window - 1), device=like.device)[:, None] - (window - 1)
    return (window - apart.abs()).clamp(min=0).to(like.dtype) / window**2
