"""Restored colours -> the samples of a file: profile, grey, depth and alpha put back, strip by strip."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vosr.imaging.enlarging import enlarged_rows
from vosr.imaging.exif import LONGEST_IN_JPEG, exif_for
from vosr.imaging.formats import Format
from vosr.imaging.photo import Photo
from vosr.imaging.profiles import SRGB, from_srgb

Profile = Literal["input", "srgb"]
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Layout:
    """How the samples of a file lie.

    Attributes:
        width: in pixels.
        height: in pixels.
        grey: one channel of colour instead of three.
        alpha: a last channel of straight (not premultiplied) opacity.
        deep: uint16 instead of uint8.
        profile: ICC profile to embed.
        exif: EXIF to embed, beginning with its marker.
    """

    width: int
    height: int
    grey: bool = False
    alpha: bool = False
    deep: bool = False
    profile: bytes | None = None
    exif: bytes | None = None

    @property
    def channels(self) -> int:
        """Of a pixel, 1 to 4."""
        return (1 if self.grey else 3) + self.alpha

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """Of a sample."""
        return np.uint16 if self.deep else np.uint8


def layout_of(photo: Photo, size: tuple[int, int], form: Format, profile: Profile = "input") -> Layout:
    """The layout in which a restored ``photo`` is written, as far as the format holds what it has."""
    longest = LONGEST_IN_JPEG if form.name == "jpeg" else None
    exif = exif_for(photo.exif, *size, longest) if photo.exif and form.metadata else None
    embedded = photo.profile if profile == "input" or not photo.converted else SRGB
    return Layout(
        *size,
        grey=photo.grey and form.grey,
        alpha=photo.alpha is not None and form.alpha,
        deep=photo.deep and form.deep,
        profile=embedded if form.metadata and (form.grey or not photo.grey) else None,
        exif=exif,
    )


def losses(photo: Photo, form: Format) -> tuple[str, ...]:
    """What the format cannot hold of the image, in words."""
    lost = []
    if photo.deep and not form.deep:
        lost.append(f"{form.pillow} holds 8 bits a sample: 16 rounded to 8")
    if photo.alpha is not None and not form.alpha:
        lost.append(f"{form.pillow} holds no transparency: laid over white")
    if photo.exif and not form.metadata:
        lost.append(f"{form.pillow} holds no EXIF")
    if photo.grey and not form.grey:
        lost.append(f"{form.pillow} holds no greyscale: three equal channels")
    return tuple(lost)


def finished(photo: Photo, rows: Iterable[NDArray], layout: Layout) -> Iterator[NDArray]:
    """Strips (rows, W, channels) of the file from strips (rows, W, 3) of restored sRGB, uint8 or uint16."""
    top = 0
    for strip in rows:
        bottom = top + len(strip)
        colours = _colours(photo, strip, layout, top)
        if photo.alpha is not None:
            alpha = _alpha(photo.alpha, layout, top, bottom)
            colours = np.dstack([colours, alpha]) if layout.alpha else _over_white(colours, alpha)
        yield colours
        top = bottom


def _colours(photo: Photo, strip: NDArray, layout: Layout, top: int) -> NDArray:
    back = photo.converted and photo.profile is not None and layout.profile == photo.profile
    if not back or photo.profile is None:
        grey = luma(strip) if layout.grey else strip
        return _as_depth(grey, layout.dtype)
    if photo.beyond is None:
        return from_srgb(strip, photo.profile, layout.dtype)
    colours = from_srgb(strip, photo.profile, np.uint16).astype(np.float32) / 65535
    colours += enlarged_rows(photo.beyond, layout.width, layout.height, top, top + len(strip))
    return _quantised(colours, layout.dtype)


def _alpha(alpha: NDArray, layout: Layout, top: int, bottom: int) -> NDArray:
    enlarged = enlarged_rows(alpha, layout.width, layout.height, top, bottom)
    return _quantised(enlarged / np.iinfo(alpha.dtype).max, layout.dtype)


def _over_white(colours: NDArray, alpha: NDArray) -> NDArray:
    full = np.iinfo(colours.dtype).max
    share = alpha[..., None].astype(np.float32) / full
    return _quantised(colours / full * share + (1 - share), colours.dtype.type)


def luma(strip: NDArray) -> NDArray:
    """(rows, W, 3) -> (rows, W, 1), as Pillow's conversion to L; exact where the channels are equal."""
    return np.round(strip.astype(np.float32) @ _LUMA).astype(strip.dtype)[..., None]


def _as_depth(samples: NDArray, dtype: type[np.generic]) -> NDArray:
    if samples.dtype == dtype:
        return samples
    if dtype == np.uint16:
        return samples.astype(np.uint16) * 257
    return _quantised(samples.astype(np.float32) / 65535, dtype)


def _quantised(values: NDArray, dtype: type[np.generic]) -> NDArray:
    full = 65535 if dtype == np.uint16 else 255
    return np.round(np.clip(values, 0, 1) * full).astype(dtype)
