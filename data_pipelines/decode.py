"""Encoded bytes -> 8-bit sRGB crop, by the shortest safe way.

Plain JPEGs go through libjpeg-turbo (kornia-rs), which saves a copy of the whole image; everything else,
and whatever that refuses, through the decoders that restoring has (:mod:`vosr.imaging`). docs/data.md has the
comparison.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from kornia_rs.io import ImageDecoder
from numpy.typing import NDArray
from PIL import Image

from data_pipelines.crop import Crop, working_scale
from data_pipelines.failures import ImageError, Reason
from vosr.core.deadline import deadline
from vosr.imaging.decoded import to_rgb
from vosr.imaging.errors import TooLargeError, UnknownFormatError, UnsupportedError
from vosr.imaging.opened import Opened, opened
from vosr.imaging.reading import quiet, reason_of

MAX_PIXELS = 178_956_970
"""Larger images are refused: half a gigabyte as RGB, and Pillow's own limit for decompression bombs."""
MAX_ENLARGEMENT = 8
"""An image whose shorter side is below the crop size by more than this factor is refused."""
SECONDS = 120.0
"""That decoding one image may take."""

_REASONS = {
    UnknownFormatError: Reason.NOT_AN_IMAGE,
    UnsupportedError: Reason.UNSUPPORTED,
    TooLargeError: Reason.TOO_LARGE,
}
_JPEG = ImageDecoder()


def decode_crop(encoded: bytes, crop: Crop, size: int, shrink_to: int | None = None) -> NDArray[np.uint8]:
    """Decode an image and cut (size, size, 3) uint8 sRGB out of it, not turned yet; it may be a view.

    Raises:
        ImageError: the image cannot be used; its ``reason`` says why.
    """
    with _open(encoded) as image:
        width, height = image.header.width, image.header.height
        if min(width, height) * MAX_ENLARGEMENT < size:
            raise ImageError(Reason.TOO_NARROW, f"{width}x{height} pixels for a crop of {size}")
        scale = working_scale(width, height, size, shrink_to)
        plain = image.plain()
        if scale != 1:
            return _resized_crop(image, plain, crop, size, scale)
        if plain is not None:
            return _plain_crop(encoded, plain, crop, size)
        stored = image.first().upright()
        left, top = crop.corner(stored.colours.shape[1], stored.colours.shape[0], size)
        return to_rgb(stored.cropped(left, top, size))  # only the crop's colours are converted


def decode(encoded: bytes) -> NDArray[np.uint8]:
    """Decode a whole image to (H, W, 3) uint8 sRGB.

    Raises:
        ImageError: as :func:`decode_crop`.
    """
    with _open(encoded) as image:
        return to_rgb(image.first())


@contextmanager
def _open(encoded: bytes) -> Iterator[Opened]:
    """Whatever a decoder raises becomes an :class:`ImageError`."""
    if not encoded:
        raise ImageError(Reason.EMPTY, "zero bytes")
    try:
        with deadline(SECONDS), quiet(), opened(io.BytesIO(encoded)) as image:
            image.header.check(most_pixels=MAX_PIXELS)
            yield image
    except ImageError:
        raise
    except Exception as error:  # damaged files make decoders raise nearly anything
        reason = next((known for kind, known in _REASONS.items() if isinstance(error, kind)), Reason.DAMAGED)
        raise ImageError(reason, reason_of(error)) from error


def _plain_crop(encoded: bytes, plain: Image.Image, crop: Crop, size: int) -> NDArray[np.uint8]:
    left, top = crop.corner(plain.width, plain.height, size)
    if plain.format in ("JPEG", "MPO"):
        try:
            return np.asarray(_JPEG.decode(encoded))[top : top + size, left : left + size]
        except Exception:  # the binding raises nothing more specific; Pillow decides what is damaged
            pass
    return np.asarray(plain.crop((left, top, left + size, top + size)))


def _resized_crop(
    image: Opened, plain: Image.Image | None, crop: Crop, size: int, scale: float
) -> NDArray[np.uint8]:
    width, height = image.header.width, image.header.height
    reduced = (round(width * scale), round(height * scale))
    if plain is None:
        stored = image.first(reduced if scale < 1 else None)
        if stored.orientation >= 5:
            width, height = height, width
        plain = Image.fromarray(to_rgb(stored))
    elif scale < 1:
        plain.draft(None, reduced)  # JPEG: decode smaller
    full = [max(size, round(side * scale)) for side in (width, height)]
    left, top = crop.corner(full[0], full[1], size)
    x, y = plain.width / full[0], plain.height / full[1]
    box = (left * x, top * y, (left + size) * x, (top + size) * y)
    return np.asarray(plain.resize((size, size), Image.Resampling.BICUBIC, box=box))
