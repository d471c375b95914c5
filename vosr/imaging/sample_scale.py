"""Samples of any depth and kind -> 8 or 16 bits; refused where black and white would be a guess."""

import numpy as np
from numpy.typing import NDArray

from vosr.imaging.errors import UnsupportedError

_STRAY = 0.01
"""Share of floating-point samples beyond [0, 1] that may be clipped, as resampling leaves them."""


def unit_range(samples: NDArray) -> tuple[NDArray[np.uint16], tuple[str, ...]]:
    """Floating point -> uint16, and notes.

    Raises:
        UnsupportedError: samples whose black and white are not 0 and 1.
    """
    notes = ["floating-point samples taken as 16 bits"]
    finite = np.isfinite(samples)
    beyond = ((samples < 0) | (samples > 1)) & finite
    if beyond.mean() > _STRAY:
        low, high = float(samples[finite].min()), float(samples[finite].max())
        raise UnsupportedError(
            f"its floating-point samples reach from {low:.4g} to {high:.4g}; only [0, 1] has an agreed black and white"
        )
    if not finite.all():
        notes.append("samples that are no numbers (NaN, infinity) became black or white")
    if beyond.any():
        notes.append(f"{int(beyond.sum())} samples beyond [0, 1] clipped")
    whole = np.nan_to_num(samples.astype(np.float32, copy=False), nan=0.0, posinf=1.0, neginf=0.0)
    return np.round(np.clip(whole, 0, 1) * 65535).astype(np.uint16), tuple(notes)


def whole_range(samples: NDArray, bits: int) -> tuple[NDArray, tuple[str, ...]]:
    """Whole numbers of ``bits`` bits -> uint8 up to 8 of them, uint16 above, and notes."""
    dtype = np.uint8 if bits <= 8 else np.uint16
    if samples.dtype == dtype and bits == 8 * samples.dtype.itemsize:
        return samples, ()
    low, high = 0, 2**bits - 1
    notes: tuple[str, ...] = ()
    if samples.dtype.kind == "b":
        high = 1
    if samples.dtype.kind == "i":
        low, high, notes = _signed_range(samples, bits)
    share = (samples.astype(np.float64) - low) / (high - low)
    return np.round(np.clip(share, 0, 1) * np.iinfo(dtype).max).astype(dtype), notes


def _signed_range(samples: NDArray, bits: int) -> tuple[int, int, tuple[str, ...]]:
    """Black and white of signed samples, which TIFF leaves open: nothing is clipped, and a note says so."""
    least, most = int(samples.min()), int(samples.max())
    low, high = -(2 ** (bits - 1)) if least < 0 else 0, 2 ** (bits - 1) - 1
    if bits == 32 and least >= 0 and most <= 65535:
        high = 65535  # Pillow's mode I, which holds 16 bits
    return low, high, (f"signed samples: {low} taken as black, {high} as white",)
