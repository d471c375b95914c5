"""Pillow's bicubic enlargement in strips, so that the enlarged picture is never held."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_REACH = 4
"""Rows beyond a strip that bicubic interpolation looks at, with some to spare."""


def enlarged_rows(samples: NDArray, width: int, height: int, top: int, bottom: int) -> NDArray[np.float32]:
    """Rows [top, bottom) of ``samples`` (h, w) or (h, w, C) enlarged to (height, width), as float32.

    The same to rounding, whatever strips are asked for; values overshoot at edges and are not clipped.
    """
    scale = samples.shape[0] / height
    first = max(0, int(top * scale) - _REACH)
    last = min(samples.shape[0], int(bottom * scale) + _REACH + 1)
    box = (0.0, top * scale - first, float(samples.shape[1]), bottom * scale - first)
    part = samples[first:last]
    planes = part[..., None] if part.ndim == 2 else part
    rows = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(planes[..., i], np.float32)).resize(
                (width, bottom - top), Image.Resampling.BICUBIC, box=box
            )
        )
        for i in range(planes.shape[2])
    ]
    return rows[0] if samples.ndim == 2 else np.stack(rows, -1)
