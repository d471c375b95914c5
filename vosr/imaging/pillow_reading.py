"""Images through Pillow, in any of its modes; 16-bit PNG, of which Pillow keeps 8 bits, through imagecodecs."""

from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosr.imaging.colour_tags import avif_codes, avif_depth, profile_of_codes
from vosr.imaging.decoded import DecodedImage
from vosr.imaging.exif import Exif
from vosr.imaging.iptc import from_resources
from vosr.imaging.metadata import announces_gain_map, gathered, without_gain_map
from vosr.imaging.png_reading import CREDENTIALS, PngParts
from vosr.imaging.sample_scale import unit_range

_GREY = ("1", "L", "LA", "La")
_ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
_PLAIN = (*_GREY, "RGB", "RGBA", "RGBa", "RGBX", "CMYK")
_ADOBE_RGB: bytes = imagecodecs.cms_profile("adobergb")
_INCH = 2.54
_MORE_XMP = b"http://ns.adobe.com/xmp/extension/"
Info = dict[str | tuple[int, int], Any]


def from_png(parts: PngParts, image: Image.Image) -> DecodedImage:
    """A PNG that was taken apart and its image opened. Raises what the decoder does."""
    metadata, orientation, more = gathered(
        parts.exif, parts.xmp, parts.iptc, parts.text, resolution=parts.resolution
    )
    notes = (*parts.notes, *more)
    if parts.depth == 16:
        samples = imagecodecs.png_decode(parts.image)
        samples = samples[..., None] if samples.ndim == 2 else samples
        channels = 3 if samples.shape[2] > 2 else 1
        alpha = samples[..., channels] if samples.shape[2] > channels else None
        return DecodedImage(
            samples[..., :channels], alpha, orientation, parts.profile, metadata, "PNG", notes
        )
    colours, alpha, changed = samples_of(image)
    return DecodedImage(colours, alpha, orientation, parts.profile, metadata, "PNG", (*notes, *changed))


def from_pillow(image: Image.Image, data: bytes = b"") -> DecodedImage:
    """A JPEG, WebP, AVIF, GIF, BMP or the like. Raises what the decoder does, and ValueError for HDR.

    Args:
        image: opened by Pillow.
        data: the whole file where it is an AVIF.
    """
    colours, alpha, notes = samples_of(image)
    info = image.info
    xmp: bytes | None = info.get("xmp")
    exif = Exif.parse(info.get("exif"))
    if xmp is not None and announces_gain_map(xmp):
        notes = (*notes, "its gain map (HDR) left out")
        xmp = without_gain_map(xmp)
    elif image.format == "MPO":
        notes = (*notes, f"{max(1, getattr(image, 'n_frames', 2) - 1)} further views or previews left out")
    notes = (*notes, *_other_segments(image))
    metadata, orientation, more = gathered(
        exif, xmp, _iptc(info), comment=info.get("comment"), resolution=_resolution(info)
    )
    profile = info.get("icc_profile") or None
    if profile is None and exif.adobe_rgb and colours.shape[2] == 3:
        profile, more = _ADOBE_RGB, (*more, "Adobe RGB, as its EXIF says, became a colour profile")
    if image.format == "AVIF":
        profile, more = _avif_profile(data, profile, more)
    notes = (*notes, *more)
    return DecodedImage(colours, alpha, orientation, profile, metadata, image.format or "PNG", notes)


def samples_of(image: Image.Image) -> tuple[NDArray, NDArray | None, tuple[str, ...]]:
    """Colours (H, W, 1, 3 or 4), opacity, and what was changed. Raises what the decoder does."""
    image.load()
    if image.mode.startswith("I"):
        return np.clip(np.asarray(image), 0, 65535).astype(np.uint16)[..., None], None, ()
    if image.mode == "F":
        whole, clipped = unit_range(np.asarray(image))
        return whole[..., None], None, clipped
    notes: tuple[str, ...] = ()
    if image.mode not in _PLAIN:
        palette = image.mode in ("P", "PA")
        notes = ("palette converted to full colour" if palette else f"{image.mode} converted to sRGB",)
    transparent = image.mode in _ALPHA or "transparency" in image.info
    mode = ("L" if _is_grey(image) else "RGB") + ("A" if transparent else "")
    samples = np.asarray(image if image.mode in ("CMYK", mode) else image.convert(mode))
    samples = samples[..., None] if samples.ndim == 2 else samples
    if transparent:
        return samples[..., :-1], samples[..., -1], notes
    return samples, None, notes


def _is_grey(image: Image.Image) -> bool:
    """Whether there is one channel of colour, or a palette of nothing but greys."""
    if image.mode not in ("P", "PA"):
        return image.mode in _GREY
    return not np.ptp(np.asarray(image.convert("RGB")), axis=-1).any()


def _other_segments(image: Image.Image) -> tuple[str, ...]:
    """What a JPEG says in segments that are not carried."""
    segments = list(getattr(image, "applist", ()))
    lost = {
        CREDENTIALS: any(kind == "APP11" for kind, _ in segments),
        "extended XMP left out": any(content.startswith(_MORE_XMP) for _, content in segments),
    }
    return tuple(words for words, true in lost.items() if true)


def _iptc(info: Info) -> bytes | None:
    resources = info.get("photoshop")
    content = resources.get(0x0404) if isinstance(resources, dict) else None
    return from_resources(content) if isinstance(content, bytes) and content[:1] == b"\x1c" else None


def _resolution(info: Info) -> tuple[float, float] | None:
    """Pixels an inch by the file's own fields; EXIF's are read apart."""
    if "jfif_density" in info:
        scale = {1: 1.0, 2: _INCH}.get(info.get("jfif_unit", 0))
        x, y = info["jfif_density"]
        return None if scale is None else (x * scale, y * scale)
    return None if "exif" in info else info.get("dpi")


def _avif_profile(
    data: bytes, profile: bytes | None, notes: tuple[str, ...]
) -> tuple[bytes | None, tuple[str, ...]]:
    if avif_depth(data) > 8:
        notes = (*notes, f"its {avif_depth(data)} bits a sample read as 8")
    if b"tmap" in data[:4096]:
        notes = (*notes, "its gain map (HDR) left out")
    codes = avif_codes(data)
    if profile is None and codes is not None:
        profile = profile_of_codes(*codes)
        notes = notes if profile is None else (*notes, "its colour codes became a colour profile")
    return profile, notes
