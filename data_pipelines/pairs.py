"""Decodes a clean image and its degraded partner to one crop of both."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data_pipelines.crop import Crop, working_scale
from data_pipelines.decode import decode
from data_pipelines.failures import ImageError, Reason

Pixels = NDArray[np.uint8]


def decode_pair(
    hq: bytes, lq: bytes, crop: Crop, size: int | None, shrink_to: int | None = None
) -> tuple[Pixels, Pixels]:
    """The same part of both, (size, size, 3) uint8 sRGB each, not turned yet.

    The degraded image may be smaller (or larger) by any factor: it is resized to its partner's grid, bicubic.

    Args:
        hq: encoded clean image.
        lq: encoded degraded image of the same view.
        crop: where the crop lies.
        size: its height and width; None takes whole images.
        shrink_to: as in :class:`data_pipelines.crop.Augmentation`.

    Raises:
        ImageError: one cannot be used, or the two have different shapes.
    """
    clean, degraded = decode(hq), decode(lq)
    (height, width, _), (low_height, low_width, _) = clean.shape, degraded.shape
    # one pixel of rounding is what tools that reduce images differ by
    if abs(low_width - width * low_height / height) > 1.5 * max(1.0, low_height / height):
        raise ImageError(
            Reason.UNEQUAL_PAIR, f"{width}x{height} pixels, and its partner {low_width}x{low_height}"
        )
    if size is None:
        return clean, _resized(degraded, (0, 0, 1, 1), (width, height))
    scale = working_scale(width, height, size, shrink_to)
    full_width, full_height = max(size, round(width * scale)), max(size, round(height * scale))
    left, top = crop.corner(full_width, full_height, size)
    box = (left / full_width, top / full_height, (left + size) / full_width, (top + size) / full_height)
    if scale == 1:
        clean = clean[top : top + size, left : left + size]
        if (low_height, low_width) == (height, width):
            return clean, degraded[top : top + size, left : left + size]
    else:
        clean = _resized(clean, box, (size, size))
    return clean, _resized(degraded, box, (size, size))


def _resized(pixels: Pixels, box: tuple[float, float, float, float], size: tuple[int, int]) -> Pixels:
    height, width, _ = pixels.shape
    part = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC, box=part))
