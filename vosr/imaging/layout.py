"""Restored colours -> the samples of a file: profile, grey, depth and alpha put back, strip by strip."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vosr.imaging.enlarging import enlarged_rows
from vosr.imaging.formats import Format
from vosr.imaging.metadata import LONGEST_TEXT, Metadata, fitted
from vosr.imaging.neutral import luma_rows, neutralized
from vosr.imaging.photo import Photo
from vosr.imaging.profiles import SRGB, from_srgb

Profile = Literal["input", "srgb"]


@dataclass(frozen=True)
class Layout:
    """Sample layout of an output file, and what is embedded beside the samples.

    Attributes:
        width: in pixels.
        height: in pixels.
        grey: one channel of colour instead of three.
        alpha: a last channel of straight (not premultiplied) opacity.
        deep: uint16 instead of uint8.
        profile: ICC profile to embed.
        metadata: to embed.
        lost: what the format cannot hold, in words.
    """

    width: int
    height: int
    grey: bool = False
    alpha: bool = False
    deep: bool = False
    profile: bytes | None = None
    metadata: Metadata = field(default_factory=Metadata)
    lost: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        """Channels of a pixel, 1 to 4."""
        return (1 if self.grey else 3) + self.alpha

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """Dtype of a sample."""
        return np.uint16 if self.deep else np.uint8


def layout_of(photo: Photo, size: tuple[int, int], form: Format, profile: Profile = "input") -> Layout:
    """The layout in which a restored ``photo`` is written, as far as the format holds what it has."""
    metadata, lost = fitted(photo.metadata, form, size)
    embedded = photo.profile if profile == "input" or not photo.converted else SRGB
    if embedded is not None and form.name == "png" and len(embedded) > LONGEST_TEXT:
        lost = (
            *lost,
            f"PNG readers refuse a colour profile of {len(embedded) / 2**20:.1f} MiB: written in sRGB",
        )
        embedded = SRGB if photo.converted else None
    if photo.grey and (embedded is SRGB or not form.grey):
        embedded = None  # a profile of the other number of channels
    return Layout(
        *size,
        grey=photo.grey and form.grey,
        alpha=photo.alpha is not None and form.alpha,
        deep=photo.deep and form.deep,
        profile=embedded if "icc" in form.holds else None,
        metadata=metadata,
        lost=(*_unsupported(photo, form), *lost),
    )


def _unsupported(photo: Photo, form: Format) -> tuple[str, ...]:
    """What the format cannot hold of the samples, in words."""
    lost = []
    if photo.deep and not form.deep:
        lost.append(f"{form.pillow} holds 8 bits a sample: 16 rounded to 8")
    if photo.alpha is not None and not form.alpha:
        lost.append(f"{form.pillow} holds no transparency: laid over white")
    if photo.grey and not form.grey:
        lost.append(f"{form.pillow} holds no greyscale: three equal channels")
    if photo.converted and "icc" not in form.holds:
        lost.append(f"{form.pillow} holds no colour profile: written in sRGB")
    return tuple(lost)


def file_rows(photo: Photo, rows: Iterable[NDArray], layout: Layout) -> Iterator[NDArray]:
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
        colours = _as_depth(luma_rows(strip) if layout.grey else strip, layout.dtype)
    elif photo.beyond is None:
        colours = from_srgb(strip, photo.profile, layout.dtype)
    else:
        samples = from_srgb(strip, photo.profile, np.uint16).astype(np.float32) / 65535
        samples += enlarged_rows(photo.beyond, layout.width, layout.height, top, top + len(strip))
        colours = _quantised(samples, layout.dtype)
    if (photo.neutral or photo.grey) and colours.shape[2] == 3:
        return neutralized(colours)
    return colours


def _alpha(alpha: NDArray, layout: Layout, top: int, bottom: int) -> NDArray:
    enlarged = enlarged_rows(alpha, layout.width, layout.height, top, bottom)
    return _quantised(enlarged / np.iinfo(alpha.dtype).max, layout.dtype)


def _over_white(colours: NDArray, alpha: NDArray) -> NDArray:
    full = np.iinfo(colours.dtype).max
    share = alpha[..., None].astype(np.float32) / full
    return _quantised(colours / full * share + (1 - share), colours.dtype.type)


def _as_depth(samples: NDArray, dtype: type[np.generic]) -> NDArray:
    if samples.dtype == dtype:
        return samples
    if dtype == np.uint16:
        return samples.astype(np.uint16) * 257
    return _quantised(samples.astype(np.float32) / 65535, dtype)


def _quantised(values: NDArray, dtype: type[np.generic]) -> NDArray:
    full = 65535 if dtype == np.uint16 else 255
    return np.round(np.clip(values, 0, 1) * full).astype(dtype)
