"""Samples as a file stores them -> a photo: turned upright, in sRGB, with transparency put in order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosr.imaging.exif import kept_exif
from vosr.imaging.photo import Photo
from vosr.imaging.profiles import beyond_srgb, is_srgb, space_of, to_srgb
from vosr.imaging.transparency import fill_hidden

_SPACES = {1: "gray", 3: "rgb", 4: "cmyk"}


@dataclass(frozen=True, eq=False)
class Stored:
    """What a decoder gives.

    Attributes:
        colours: (H, W, 1, 3 or 4) grey, RGB or CMYK (more is more ink), uint8 or uint16.
        alpha: (H, W) straight opacity.
        orientation: EXIF's, 1 to 8.
        profile: embedded ICC profile.
        exif: as loaded by Pillow.
        format: Pillow's name of the file's format.
        notes: what was changed in decoding, in words.
    """

    colours: NDArray
    alpha: NDArray | None
    orientation: int
    profile: bytes | None
    exif: Image.Exif
    format: str
    notes: tuple[str, ...] = ()


def to_photo(stored: Stored) -> Photo:
    """Turn upright and convert to sRGB."""
    colours = upright(stored.colours, stored.orientation)
    alpha = None if stored.alpha is None else np.ascontiguousarray(upright(stored.alpha, stored.orientation))
    deep, space, notes = colours.dtype == np.uint16, _SPACES[colours.shape[2]], stored.notes
    profile, beyond, converted = stored.profile or None, None, False
    if profile is not None and space_of(profile) != space:
        profile, notes = None, (*notes, "colour profile left out: it does not fit the image")
    if profile is not None and not (space == "rgb" and is_srgb(profile)):
        original, colours, converted = colours, to_srgb(colours, profile), True
        beyond = beyond_srgb(original, colours, profile) if space == "rgb" else None
    elif space == "cmyk":
        colours = _plain_rgb(colours)
    if space == "cmyk":
        profile, converted, notes = None, False, (*notes, "CMYK converted to sRGB")
    if colours.shape[2] == 1:
        colours = colours.repeat(3, axis=2)
    if alpha is not None:
        colours = fill_hidden(colours, alpha)
    return Photo(
        np.ascontiguousarray(colours), alpha, deep, space == "gray", profile, converted, beyond, _exif(stored.exif),
        stored.format, notes,
    )  # fmt: skip


def upright(samples: NDArray, orientation: int) -> NDArray:
    """Undo EXIF's orientation on (H, W) or (H, W, C); a view."""
    if orientation >= 5:
        samples = samples.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples


def _plain_rgb(inks: NDArray) -> NDArray:
    """CMYK (H, W, 4) without a profile: each ink takes its share of the light."""
    full = np.iinfo(inks.dtype).max
    light = (full - inks.astype(np.float32)) / full
    return np.round(light[..., :3] * light[..., 3:] * full).astype(inks.dtype)


def _exif(exif: Image.Exif) -> bytes | None:
    try:
        return kept_exif(exif)
    except Exception:  # damaged EXIF must not cost the image, and Pillow raises nearly anything on it
        return None
