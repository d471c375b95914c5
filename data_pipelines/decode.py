"""Bytes of an encoded picture -> 8-bit RGB array."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps


def decode(encoded: bytes) -> NDArray[np.uint8]:
    """Decode to (H, W, 3) uint8 sRGB."""
    with Image.open(io.BytesIO(encoded)) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
