"""Figures by which images are filtered: gradient energy, entropy and a perceptual hash."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_HASH_SIDE = 32


def grey_values(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey values (H, W) of (H, W, 3)."""
    return np.asarray(Image.fromarray(image).convert("L"))


def gradient_energy(grey: NDArray[np.uint8]) -> float:
    """Mean absolute difference of neighbouring pixels, in levels of 255: 2 when smooth, 10 when rich."""
    values = grey.astype(np.int16)
    across, down = np.abs(np.diff(values, axis=1)), np.abs(np.diff(values, axis=0))
    return float((across.sum() + down.sum()) / max(1, across.size + down.size))


def entropy(grey: NDArray[np.uint8]) -> float:
    """Shannon entropy of the grey values in bits, 0 (one value) to 8 (all equally frequent)."""
    shares = np.bincount(grey.ravel(), minlength=256) / grey.size
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())


def perceptual_hash(grey: NDArray[np.uint8]) -> int:
    """64 bits that resized, recompressed and slightly changed copies share for the most part.

    The signs of the 8 x 8 lowest DCT coefficients of the image at 32 x 32, against their median.
    """
    small = np.asarray(
        Image.fromarray(grey).resize((_HASH_SIDE, _HASH_SIDE), Image.Resampling.BOX), np.float64
    )
    low = _DCT @ small @ _DCT.T
    bits = (low > np.median(low)).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _dct_rows() -> NDArray[np.float64]:
    frequency, place = np.arange(1, 9)[:, None], np.arange(_HASH_SIDE)[None, :]
    return np.cos(np.pi * frequency * (2 * place + 1) / (2 * _HASH_SIDE))


_DCT = _dct_rows()
"""Cosines of frequency 1 to 8 along one axis: brightness itself plays no part."""
