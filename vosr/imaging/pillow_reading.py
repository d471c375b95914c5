"""Images through Pillow, in any of its modes; 16-bit PNG, of which Pillow keeps 8 bits, through imagecodecs."""

from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image

from vosr.imaging.exif import ORIENTATION
from vosr.imaging.stored import Stored

_GREY = ("1", "L", "LA", "La", "F")
_ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
_PLAIN = (*_GREY, "RGB", "RGBA", "RGBa", "RGBX", "CMYK")


def is_deep_png(path: Path) -> bool:
    """Whether a file is a PNG of 16 bits a sample, by its head."""
    with path.open("rb") as file:
        head = file.read(25)
    return head.startswith(b"\x89PNG\r\n\x1a\n") and head[24:] == b"\x10"


def deep_png(image: Image.Image, path: Path, notes: tuple[str, ...]) -> Stored:
    """All 16 bits of a PNG that Pillow has opened. Raises what the decoder does."""
    exif = image.getexif()
    samples = imagecodecs.png_decode(path.read_bytes())
    samples = samples[..., None] if samples.ndim == 2 else samples
    colours = 3 if samples.shape[2] > 2 else 1
    alpha = samples[..., colours] if samples.shape[2] > colours else None
    orientation, profile = exif.get(ORIENTATION, 1), image.info.get("icc_profile")
    return Stored(samples[..., :colours], alpha, orientation, profile, exif, "PNG", notes)


def from_pillow(image: Image.Image, notes: tuple[str, ...] = ()) -> Stored:
    """A loaded image. Raises what the decoder does."""
    image.load()
    exif = image.getexif()
    kept = exif.get(ORIENTATION, 1), image.info.get("icc_profile"), exif, image.format or "PNG"
    if image.mode.startswith("I"):
        whole = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
        return Stored(whole[..., None], None, *kept, notes)
    if image.mode not in _PLAIN:
        palette = image.mode in ("P", "PA")
        notes = (
            *notes,
            "palette converted to full colour" if palette else f"{image.mode} converted to sRGB",
        )
    transparent = image.mode in _ALPHA or "transparency" in image.info
    mode = ("L" if _is_grey(image) else "RGB") + ("A" if transparent else "")
    samples = np.asarray(image if image.mode == "CMYK" else image.convert(mode))
    samples = samples[..., None] if samples.ndim == 2 else samples
    alpha = samples[..., -1] if transparent else None
    return Stored(samples[..., :-1] if transparent else samples, alpha, *kept, notes)


def _is_grey(image: Image.Image) -> bool:
    """Whether there is one channel of colour, or a palette of nothing but greys."""
    if image.mode not in ("P", "PA"):
        return image.mode in _GREY
    return not np.ptp(np.asarray(image.convert("RGB")), axis=-1).any()
