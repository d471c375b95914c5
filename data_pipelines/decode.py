"""Encoded bytes -> 8-bit sRGB crop, by the shortest safe way.

Plain JPEGs go through libjpeg-turbo (kornia-rs), which saves a copy of the whole image; everything else,
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
from data_pipelines.failures import ImageError, Reason

MAX_PIXELS = 178_956_970
"""Larger images are refused: half a gigabyte as RGB, and Pillow's own limit for decompression bombs."""
MAX_ENLARGEMENT = 8
"""An image whose shorter side is below the crop size by more than this factor is refused."""

_ORIENTATION = 0x0112
_JPEG = ImageDecoder()


def decode_crop(encoded: bytes, crop: Crop, size: int, shrink_to: int | None = None) -> NDArray[np.uint8]:
    """Decode an image and cut (size, size, 3) uint8 sRGB out of it, not turned yet; it may be a view.

    Raises:
        ImageError: the image cannot be used; its ``reason`` says why.
    """
    with _guarded(), _open(encoded) as image:
        width, height = _upright_size(image)
        if min(width, height) * MAX_ENLARGEMENT < size:
            raise ImageError(Reason.TOO_NARROW, f"{width}x{height} pixels for a crop of {size}")
        scale = working_scale(width, height, size, shrink_to)
        if scale == 1 and _is_plain_jpeg(image):
            return _cut(_decode_plain_jpeg(encoded, image), crop, size)
        return np.asarray(_crop_image(image, crop, size, scale))


def decode(encoded: bytes) -> NDArray[np.uint8]:
    """Decode a whole image to (H, W, 3) uint8 sRGB.

    Raises:
        ImageError: as :func:`decode_crop`.
    """
    with _guarded(), _open(encoded) as image:
        return np.asarray(to_srgb(ImageOps.exif_transpose(image)))


@contextmanager
def _guarded() -> Iterator[None]:
    """Whatever a decoder raises becomes a :class:`ImageError`."""
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(Reason.NOT_AN_IMAGE, "no known image format") from error
    except Image.DecompressionBombError as error:
        raise ImageError(Reason.TOO_LARGE, str(error)) from error
    except Exception as error:  # damaged files make Pillow raise OSError, struct.error, KeyError and others
        raise ImageError(Reason.DAMAGED, str(error)) from error


def _open(encoded: bytes) -> Image.Image:
    if not encoded:
        raise ImageError(Reason.EMPTY, "zero bytes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on bombs and metadata: sizes are checked below
        image = Image.open(io.BytesIO(encoded))
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(Reason.TOO_LARGE, f"{image.width}x{image.height} pixels")
    return image


def _upright_size(image: Image.Image) -> tuple[int, int]:
    turned = image.getexif().get(_ORIENTATION, 1) >= 5
    return (image.height, image.width) if turned else image.size


def _is_plain_jpeg(image: Image.Image) -> bool:
    return (
        image.format == "JPEG"
        and image.mode == "RGB"
        and "icc_profile" not in image.info
        and image.getexif().get(_ORIENTATION, 1) == 1
    )


def _decode_plain_jpeg(encoded: bytes, image: Image.Image) -> NDArray[np.uint8]:
    try:
        return np.asarray(_JPEG.decode(encoded))
    except Exception:  # the binding raises nothing more specific; Pillow decides what is damaged
        return np.asarray(image)


def _cut(pixels: NDArray[np.uint8], crop: Crop, size: int) -> NDArray[np.uint8]:
    left, top = crop.corner(pixels.shape[1], pixels.shape[0], size)
    return pixels[top : top + size, left : left + size]


def _crop_image(image: Image.Image, crop: Crop, size: int, scale: float) -> Image.Image:
    """Crop in sRGB. Where nothing is resized, only the crop's colours are converted."""
    if scale == 1:
        profile = image.info.get("icc_profile")
        image = ImageOps.exif_transpose(image)
        left, top = crop.corner(image.width, image.height, size)
        cut = image.crop((left, top, left + size, top + size))
        if profile:
            cut.info["icc_profile"] = profile
        return to_srgb(cut)
    full = [max(size, round(side * scale)) for side in _upright_size(image)]
    if scale < 1:
        image.draft(None, (round(image.width * scale), round(image.height * scale)))  # JPEG: decode smaller
    image = to_srgb(ImageOps.exif_transpose(image))
    left, top = crop.corner(full[0], full[1], size)
    x, y = image.width / full[0], image.height / full[1]
    box = (left * x, top * y, (left + size) * x, (top + size) * y)
    return image.resize((size, size), Image.Resampling.BICUBIC, box=box)
