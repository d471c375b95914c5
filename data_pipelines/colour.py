"""Any Pillow mode and profile -> 8-bit sRGB."""

import io
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

_PLAIN = ("RGB", "L", "CMYK")
"""Modes that colour profiles are applied to."""


def to_srgb(image: Image.Image) -> Image.Image:
    """The image as 8-bit RGB in sRGB.

    Transparent parts are laid over white. An embedded profile is applied unless it is sRGB itself or does
    not fit the image's mode; 16-bit and floating-point samples are scaled to 8 bits.
    """
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bit(image)
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        image = _over_white(image)
    elif image.mode not in _PLAIN:
        image = image.convert("RGB")
    transform = _transform(profile, image.mode) if profile else None
    if transform is not None:
        converted: Image.Image | None = ImageCms.applyTransform(image, transform)
        if converted is not None:
            return converted
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image, np.float32)
    largest = float(values.max(initial=0))
    if image.mode == "F" and largest <= 1:
        scale = 255.0
    else:
        scale = 1.0 if largest <= 255 and not image.mode.startswith("I;16") else 255 / 65535
    return Image.fromarray(np.clip(values * scale + 0.5, 0, 255).astype(np.uint8))


def _over_white(image: Image.Image) -> Image.Image:
    with_alpha = image.convert("RGBA")
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
