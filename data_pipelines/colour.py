"""Any Pillow mode and profile -> 8-bit sRGB."""

import io
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

_PLAIN = ("RGB", "L", "CMYK")
"""Modes that colour profiles are applied to."""


def to_srgb(picture: Image.Image) -> Image.Image:
    """The picture as 8-bit RGB in sRGB.

    Transparent parts are laid over white. An embedded profile is applied unless it is sRGB itself or does
    not fit the picture's mode; 16-bit and floating-point samples are scaled to 8 bits.
    """
    profile = picture.info.get("icc_profile")
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = _eight_bit(picture)
    if picture.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in picture.info:
        picture = _over_white(picture)
    elif picture.mode not in _PLAIN:
        picture = picture.convert("RGB")
    transform = _transform(profile, picture.mode) if profile else None
    if transform is not None:
        converted: Image.Image | None = ImageCms.applyTransform(picture, transform)
        if converted is not None:
            return converted
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _eight_bit(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture, np.float32)
    largest = float(values.max(initial=0))
    if picture.mode == "F" and largest <= 1:
        scale = 255.0
    else:
        scale = 1.0 if largest <= 255 and not picture.mode.startswith("I;16") else 255 / 65535
    return Image.fromarray(np.clip(values * scale + 0.5, 0, 255).astype(np.uint8))


def _over_white(picture: Image.Image) -> Image.Image:
    with_alpha = picture.convert("RGBA")
    paper = Image.new("RGBA", with_alpha.size, "white")
    return Image.alpha_composite(paper, with_alpha).convert("RGB")


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> Any:
    """Colour transform from ``profile`` to sRGB; None where none is needed or possible."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError):
        return None
