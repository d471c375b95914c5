"""Decoded samples -> an image for the model: upright, in sRGB, with transparency put in order."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from vosr.imaging.colour_tags import refuse_hdr
from vosr.imaging.metadata import Metadata
from vosr.imaging.neutral import is_neutral
from vosr.imaging.photo import Photo
from vosr.imaging.profiles import beyond_srgb, is_srgb, space_of, to_srgb
from vosr.imaging.transparency import fill_hidden, over_white

_SPACES = {1: "gray", 3: "rgb", 4: "cmyk"}


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An image as decoded: samples in the colours and the orientation of its file.

    Attributes:
        colours: (H, W, 1, 3 or 4) grey, RGB or CMYK (more is more ink), uint8 or uint16.
        alpha: (H, W) straight opacity.
        orientation: EXIF's, 1 to 8.
        profile: ICC profile of the colours.
        metadata: what is kept beside the pixels.
        format: Pillow's name of the file's format.
        notes: what was changed in decoding, in words.
    """

    colours: NDArray
    alpha: NDArray | None
    orientation: int = 1
    profile: bytes | None = None
    metadata: Metadata = field(default_factory=Metadata)
    format: str = "PNG"
    notes: tuple[str, ...] = ()

    def upright(self) -> "DecodedImage":
        """With the orientation applied to the samples, as views."""
        alpha = None if self.alpha is None else upright(self.alpha, self.orientation)
        return replace(self, colours=upright(self.colours, self.orientation), alpha=alpha, orientation=1)

    def cropped(self, left: int, top: int, size: int) -> "DecodedImage":
        """A square part of the samples, as views."""
        part = slice(top, top + size), slice(left, left + size)
        return replace(
            self, colours=self.colours[part], alpha=None if self.alpha is None else self.alpha[part]
        )


def to_photo(decoded: DecodedImage) -> Photo:
    """Turn upright and convert to sRGB, and keep beside it what is needed to go back."""
    decoded = decoded.upright()
    original, space = decoded.colours, _SPACES[decoded.colours.shape[2]]
    colours, profile, converted, notes = _srgb(decoded, np.uint16)
    beyond = beyond_srgb(original, colours, profile) if converted and profile and space == "rgb" else None
    neutral = space != "gray" and is_neutral(original if space == "rgb" else colours)
    if space == "cmyk":
        profile, converted = None, False
    if colours.shape[2] == 1:
        colours = colours.repeat(3, axis=2)
    alpha = None if decoded.alpha is None else np.ascontiguousarray(decoded.alpha)
    if alpha is not None:
        colours = fill_hidden(colours, alpha)
    return Photo(
        np.ascontiguousarray(colours), alpha, original.dtype == np.uint16, space == "gray", neutral, profile, converted,
        beyond, decoded.metadata, decoded.format, notes,
    )  # fmt: skip


def to_rgb(decoded: DecodedImage) -> NDArray[np.uint8]:
    """(H, W, 3) upright 8-bit sRGB, transparent parts laid over white."""
    decoded = decoded.upright()
    colours, *_ = _srgb(decoded, np.uint8)
    if colours.dtype != np.uint8:
        colours = np.round(colours / np.float32(257)).astype(np.uint8)
    if decoded.alpha is not None:
        alpha = (
            decoded.alpha if decoded.alpha.dtype == np.uint8 else np.round(decoded.alpha / np.float32(257))
        )
        colours = over_white(colours, alpha.astype(np.uint8))
    return np.ascontiguousarray(colours if colours.shape[2] == 3 else colours.repeat(3, axis=2))


def upright(samples: NDArray, orientation: int) -> NDArray:
    """Undo EXIF's orientation on (H, W) or (H, W, C); a view."""
    if orientation >= 5:
        samples = samples.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples


def _srgb(
    decoded: DecodedImage, dtype: type[np.uint8] | type[np.uint16]
) -> tuple[NDArray, bytes | None, bool, tuple[str, ...]]:
    """Colours in sRGB (or grey), the profile that holds for them, whether they were converted from it, and notes.

    Colours that are converted come out as ``dtype``, others as they were.
    """
    colours, space, notes = decoded.colours, _SPACES[decoded.colours.shape[2]], decoded.notes
    profile, converted = decoded.profile or None, False
    refuse_hdr(profile or b"")
    if profile is not None and space_of(profile) != space:
        profile, notes = None, (*notes, "colour profile left out: it does not fit the image")
    if profile is not None and not (space == "rgb" and is_srgb(profile)):
        fast = dtype == np.uint8  # for training, where a level of 8 bits hardly matters and time does
        colours, converted = to_srgb(colours, profile, dtype, fast), True
    elif space == "cmyk":
        colours = _plain_rgb(colours)
    if space == "cmyk":
        notes = (*notes, "CMYK converted to sRGB")
    return colours, profile, converted, notes


def _plain_rgb(inks: NDArray) -> NDArray:
    """CMYK (H, W, 4) without a profile: each ink takes its share of the light."""
    full = np.iinfo(inks.dtype).max
    light = (full - inks.astype(np.float32)) / full
    return np.round(light[..., :3] * light[..., 3:] * full).astype(inks.dtype)
