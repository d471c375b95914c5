"""ICC profiles: to sRGB for the model, and back for the file."""

from functools import lru_cache

import imagecodecs
import numpy as np
from numpy.typing import DTypeLike, NDArray

SRGB: bytes = imagecodecs.cms_profile("srgb")
_SPACES = {b"RGB ": "rgb", b"GRAY": "gray", b"CMYK": "cmyk"}
_INTENT = imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC
_FAST = int(imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION)
_FLAGS = _FAST | int(imagecodecs.CMS.FLAGS.NOOPTIMIZE)
"""Unoptimised: lcms's tables are off by up to 5 of 255 levels in dark colours of the common profiles."""
_SAME = 1
"""A profile whose colours differ from sRGB by at most this many of 255 levels is sRGB under another name."""


def space_of(profile: bytes) -> str | None:
    """The colours that a profile describes: rgb, gray or cmyk; None for others and for damaged profiles."""
    space = _SPACES.get(profile[16:20])
    if space is None:
        return None
    channels = {"rgb": 3, "gray": 1, "cmyk": 4}[space]
    try:
        _convert(np.zeros((1, 1, channels), np.uint8), profile, space, SRGB, "rgb", np.uint8)
    except imagecodecs.CmsError:
        return None
    return space


@lru_cache(maxsize=64)
def is_srgb(profile: bytes) -> bool:
    """Whether an RGB profile gives the colours of sRGB, tried on a grid of them."""
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(1, -1, 3)
    return int(np.abs(to_srgb(grid, profile, np.uint8).astype(int) - grid).max()) <= _SAME


def to_srgb(samples: NDArray, profile: bytes, dtype: DTypeLike = np.uint16, fast: bool = False) -> NDArray:
    """Colours (H, W, 1, 3 or 4) of a profile -> (H, W, 3) sRGB; colours beyond sRGB are clipped.

    Args:
        samples: uint8 or uint16.
        profile: for which :func:`space_of` names a space.
        dtype: of the result.
        fast: by lcms's tables, ten times as fast and within a level of 8 bits.
    """
    return _convert(samples, profile, _SPACES[profile[16:20]], SRGB, "rgb", dtype, _FAST if fast else _FLAGS)


def from_srgb(samples: NDArray, profile: bytes, dtype: DTypeLike) -> NDArray:
    """(H, W, 3) sRGB -> colours of an RGB or grey profile, (H, W, 3 or 1)."""
    return _convert(samples, SRGB, "rgb", profile, _SPACES[profile[16:20]], dtype)


def beyond_srgb(samples: NDArray, srgb: NDArray[np.uint16], profile: bytes) -> NDArray[np.float16] | None:
    """What was clipped when ``samples`` of an RGB profile became ``srgb``, in [-1, 1]; None where nothing was.

    Added to the colours that come back from sRGB, it restores the saturation of a wide-gamut photograph.
    """
    clipped = ((srgb == 0) | (srgb == 65535)).any(-1)
    if not clipped.any():
        return None
    full = np.iinfo(samples.dtype).max
    back = from_srgb(srgb, profile, np.uint16).astype(np.float32) / 65535
    lost = (samples.astype(np.float32) / full - back) * clipped[..., None]
    lost[np.abs(lost) < 1 / 255] = 0  # rounding, not clipping
    return lost.astype(np.float16) if lost.any() else None


def _convert(
    samples: NDArray,
    source: bytes,
    colours: str,
    target: bytes,
    into: str,
    dtype: DTypeLike,
    flags: int = _FLAGS,
) -> NDArray:
    samples = np.ascontiguousarray(samples)
    if colours == "gray":
        samples = samples.reshape(samples.shape[:2])
    converted: NDArray = imagecodecs.cms_transform(
        samples,
        source,
        target,
        colorspace=colours,
        outcolorspace=into,
        outdtype=dtype,
        intent=_INTENT,
        flags=flags,
    )
    return converted.reshape(*samples.shape[:2], -1)
