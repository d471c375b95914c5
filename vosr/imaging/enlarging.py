"""Pillow's enlargement part by part, so that the enlarged image is never held."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BICUBIC, LANCZOS = Image.Resampling.BICUBIC, Image.Resampling.LANCZOS
_REACH = {BICUBIC: 2, LANCZOS: 3}
"""Input pixels on either side that a kernel reads."""


def enlarged_part(
    planes: list[Image.Image],
    size: tuple[int, int],
    box: tuple[float, float, float, float],
    kernel: Image.Resampling = BICUBIC,
) -> list[Image.Image]:
    """Part of some images of one size, as it would be cut from the enlarged whole.

    Rows first, then columns, as Pillow always did; left to itself, Pillow 13 takes the cheaper order, which differs
    between a part and the whole, and so does the rounding between the two.

    Args:
        planes: of 8 bits or floating point.
        size: width and height of the part.
        box: left, top, right and bottom of the part in the input, fractional.
        kernel: bicubic or Lanczos.
    """
    left, top, right, bottom = box
    width, height = planes[0].size
    reach = _REACH[kernel]
    first, last = max(0, int(top) - reach), min(height, int(bottom) + 1 + reach)
    rows = left, first, min(right, width), last
    columns = 0, top - first, size[0], min(bottom, height) - first
    wide = [plane.resize((size[0], last - first), kernel, box=rows) for plane in planes]
    return [plane.resize(size, kernel, box=columns) for plane in wide]


def enlarged_rows(samples: NDArray, width: int, height: int, top: int, bottom: int) -> NDArray[np.float32]:
    """Rows [top, bottom) of ``samples`` (h, w) or (h, w, C) enlarged to (height, width), as float32.

    The same to rounding, whatever strips are asked for; values overshoot at edges and are not clipped.
    """
    scale = samples.shape[0] / height
    reach = _REACH[BICUBIC]
    first = max(0, int(top * scale) - reach)
    part = samples[first : int(bottom * scale) + 1 + reach]
    planes = part[..., None] if part.ndim == 2 else part
    images = [
        Image.fromarray(np.ascontiguousarray(planes[..., i], np.float32)) for i in range(planes.shape[2])
    ]
    box = 0.0, top * scale - first, float(samples.shape[1]), bottom * scale - first
    rows = [np.asarray(image) for image in enlarged_part(images, (width, bottom - top), box)]
    return rows[0] if samples.ndim == 2 else np.stack(rows, -1)
