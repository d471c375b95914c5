"""Encoded bytes -> 8-bit sRGB crop, by the shortest safe way.

Plain JPEGs go through libjpeg-turbo (kornia-rs), which saves a copy of the whole picture; everything else,
and whatever that refuses, through Pillow. docs/data.md has the comparison.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from kornia_rs.io import ImageDecoder
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from data_pipelines.colour import to_srgb
from data_pipelines.crop import Crop, working_scale
from data_pipelines.failures import PictureError, Reason

MAX_PIXELS = 178_956_970
"""Larger pictures are refused: half a gigabyte as RGB, and Pillow's own limit for decompression bombs."""
MAX_ENLARGEMENT = 8
"""A picture whose shorter side is below the crop size by more than this factor is refused."""

_ORIENTATION = 0x0112
_JPEG = ImageDecoder()


def decode_crop(encoded: bytes, crop: Crop, size: int, shrink_to: int | None = None) -> NDArray[np.uint8]:
    """Decode a picture and cut (size, size, 3) uint8 sRGB out of it, not turned yet; it may be a view.

    Raises:
        PictureError: the picture cannot be used; its ``reason`` says why.
    """
    with _guarded(), _open(encoded) as picture:
        width, height = _upright_size(picture)
        if min(width, height) * MAX_ENLARGEMENT < size:
            raise PictureError(Reason.TOO_NARROW, f"{width}x{height} pixels for a crop of {size}")
        scale = working_scale(width, height, size, shrink_to)
        if scale == 1 and _is_plain_jpeg(picture):
            return _cut(_decode_plain_jpeg(encoded, picture), crop, size)
        return np.asarray(_crop_picture(picture, crop, size, scale))


def decode(encoded: bytes) -> NDArray[np.uint8]:
    """Decode a whole picture to (H, W, 3) uint8 sRGB.

    Raises:
        PictureError: as :func:`decode_crop`.
    """
    with _guarded(), _open(encoded) as picture:
        return np.asarray(to_srgb(ImageOps.exif_transpose(picture)))


@contextmanager
def _guarded() -> Iterator[None]:
    """Whatever a decoder raises becomes a :class:`PictureError`."""
    try:
        yield
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        raise PictureError(Reason.NOT_A_PICTURE, "no known picture format") from error
    except Image.DecompressionBombError as error:
        raise PictureError(Reason.TOO_LARGE, str(error)) from error
    except Exception as error:  # damaged files make Pillow raise OSError, struct.error, KeyError and others
        raise PictureError(Reason.DAMAGED, str(error)) from error


def _open(encoded: bytes) -> Image.Image:
    if not encoded:
        raise PictureError(Reason.EMPTY, "zero bytes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on bombs and metadata: sizes are checked below
        picture = Image.open(io.BytesIO(encoded))
    if picture.width * picture.height > MAX_PIXELS:
        raise PictureError(Reason.TOO_LARGE, f"{picture.width}x{picture.height} pixels")
    return picture


def _upright_size(picture: Image.Image) -> tuple[int, int]:
    turned = picture.getexif().get(_ORIENTATION, 1) >= 5
    return (picture.height, picture.width) if turned else picture.size


def _is_plain_jpeg(picture: Image.Image) -> bool:
    return (
        picture.format == "JPEG"
        and picture.mode == "RGB"
        and "icc_profile" not in picture.info
        and picture.getexif().get(_ORIENTATION, 1) == 1
    )


def _decode_plain_jpeg(encoded: bytes, picture: Image.Image) -> NDArray[np.uint8]:
    try:
        return np.asarray(_JPEG.decode(encoded))
    except Exception:  # the binding raises nothing more specific; Pillow decides what is damaged
        return np.asarray(picture)


def _cut(pixels: NDArray[np.uint8], crop: Crop, size: int) -> NDArray[np.uint8]:
    left, top = crop.corner(pixels.shape[1], pixels.shape[0], size)
    return pixels[top : top + size, left : left + size]


def _crop_picture(picture: Image.Image, crop: Crop, size: int, scale: float) -> Image.Image:
    """Crop in sRGB. Where nothing is resized, only the crop's colours are converted."""
    if scale == 1:
        profile = picture.info.get("icc_profile")
        picture = ImageOps.exif_transpose(picture)
        left, top = crop.corner(picture.width, picture.height, size)
        cut = picture.crop((left, top, left + size, top + size))
        if profile:
            cut.info["icc_profile"] = profile
        return to_srgb(cut)
    full = [max(size, round(side * scale)) for side in _upright_size(picture)]
    if scale < 1:
        picture.draft(
            None, (round(picture.width * scale), round(picture.height * scale))
        )  # JPEG: decode smaller
    picture = to_srgb(ImageOps.exif_transpose(picture))
    left, top = crop.corner(full[0], full[1], size)
    x, y = picture.width / full[0], picture.height / full[1]
    box = (left * x, top * y, (left + size) * x, (top + size) * y)
    return picture.resize((size, size), Image.Resampling.BICUBIC, box=box)
