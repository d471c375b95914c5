"""Black-and-white photographs that are stored in colour: they come back without any."""

import numpy as np
from numpy.typing import NDArray

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_ROWS = 256


def is_neutral(colours: NDArray) -> bool:
    """Whether all three channels of (H, W, 3) are equal to within half a level of 8 bits everywhere."""
    most: float = 0.5 / 255
    if colours.dtype.kind != "f":
        most = int(most * np.iinfo(colours.dtype).max)
    for top in range(0, len(colours), _ROWS):
        rows = colours[top : top + _ROWS]
        green = rows[..., 1]
        for other in (rows[..., 0], rows[..., 2]):
            if ((other > green) & (other - green > most)).any() or (
                (other < green) & (green - other > most)
            ).any():
                return False
    return True


def luma_rows(strip: NDArray) -> NDArray:
    """(rows, W, 3) -> (rows, W, 1), as Pillow's conversion to L; exact where the channels are equal."""
    values = strip.astype(np.float32) @ _LUMA
    return (values if strip.dtype.kind == "f" else np.round(values)).astype(strip.dtype)[..., None]


def neutralized(strip: NDArray) -> NDArray:
    """Three equal channels of luma."""
    return np.broadcast_to(luma_rows(strip), strip.shape).copy()
