"""TIFF through tifffile: any depth, planar or not, tiled or not, grey, RGB, CMYK or palette.

Pillow reads 8 bits of 16, refuses floating point, and loses uncompressed images that are stored on their side.
"""

from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image

from vosr.imaging.stored import Stored

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _INKS, _YCBCR = 0, 1, 2, 3, 5, 6
_CHANNELS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _INKS: 4, _YCBCR: 3}
_JPEG = 7
_ORIENTATION, _PROFILE = 274, 34675
_PREMULTIPLIED, _STRAIGHT = 1, 2


def is_tiff(path: Path) -> bool:
    """Whether a file is a TIFF, by its head."""
    with path.open("rb") as file:
        return file.read(4) in _MAGIC


def tiff_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as stored. Raises what tifffile does."""
    with tifffile.TiffFile(path) as file:
        return file.pages.first.imagewidth, file.pages.first.imagelength


def first_page(path: Path) -> tuple[Stored | None, int]:
    """As the first of :func:`tiff_pages`, and their number."""
    with tifffile.TiffFile(path) as file:
        pages = _images(file)
        return _stored(pages[0], _exif(path)), len(pages)


def tiff_pages(path: Path) -> list[Stored | None]:
    """Images of a file, thumbnails left out; None for a kind that is left to Pillow. Raises what tifffile does."""
    with tifffile.TiffFile(path) as file:
        return [_stored(page, _exif(path)) for page in _images(file)]


def _images(file: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    whole = [page for page in file.pages if isinstance(page, tifffile.TiffPage) and not page.is_reduced]
    return whole or [file.pages.first]


def _exif(path: Path) -> Image.Exif:
    exif = Image.Exif()
    try:
        with path.open("rb") as file:
            exif.load_from_fp(file)
            exif.get_ifd(ExifTags.IFD.GPSInfo)  # while the file is open
            if ExifTags.IFD.Interop in exif.get_ifd(ExifTags.IFD.Exif):
                exif.get_ifd(ExifTags.IFD.Interop)
    except Exception:  # what Pillow cannot read of it, BigTIFF's for one, must not cost the image
        return Image.Exif()
    return exif


def _stored(page: tifffile.TiffPage, exif: Image.Exif) -> Stored | None:
    kind = page.photometric
    channels = _CHANNELS.get(kind, 0)
    if (
        not channels
        or page.axes not in ("YX", "YXS", "SYX")
        or (kind == _YCBCR and page.compression != _JPEG)
    ):
        return None
    samples = page.asarray()
    notes: tuple[str, ...] = ()
    samples = {"YX": samples[..., None], "SYX": np.moveaxis(samples, 0, -1)}.get(page.axes, samples)
    if samples.shape[2] < channels:
        return None
    alpha: NDArray | None = None
    if page.colormap is not None:
        colours = _looked_up(samples[..., 0], page.colormap)
        notes = ("palette converted to full colour",)
    else:
        colours, alpha = _split(_scaled(samples, page.bitspersample), channels, page.extrasamples)
    if kind == _WHITE_IS_ZERO:
        colours = np.iinfo(colours.dtype).max - colours
    if samples.dtype.kind == "f":
        notes = (*notes, "floating-point samples taken as 16 bits")
    tags = {code: page.tags[code].value for code in (_ORIENTATION, _PROFILE) if code in page.tags}
    return Stored(colours, alpha, tags.get(_ORIENTATION, 1), tags.get(_PROFILE), exif, "TIFF", notes)


def _scaled(samples: NDArray, bits: int) -> NDArray:
    """Up to 8 bits -> uint8, more -> uint16; floating point is taken to lie in [0, 1]."""
    if samples.dtype in (np.uint8, np.uint16) and bits == 8 * samples.dtype.itemsize:
        return samples
    if samples.dtype.kind == "f":
        return np.round(np.clip(np.nan_to_num(samples), 0, 1) * 65535).astype(np.uint16)
    low, high = (
        (float(np.iinfo(samples.dtype).min), float(np.iinfo(samples.dtype).max)) if bits > 16 else (0, 0)
    )
    dtype = np.uint8 if bits <= 8 else np.uint16
    share = (samples.astype(np.float64) - low) / ((high - low) or 2**bits - 1)
    return np.round(share * np.iinfo(dtype).max).astype(dtype)


def _looked_up(indices: NDArray, table: NDArray[np.uint16]) -> NDArray[np.uint8]:
    colours = (table.T >> 8).astype(np.uint8)[indices]
    grey = not np.ptp(colours, axis=-1).any()
    return colours[..., :1] if grey else colours


def _split(samples: NDArray, channels: int, extra: tuple[int, ...]) -> tuple[NDArray, NDArray | None]:
    """Colours and straight alpha; channels of other kinds (masks of an editor) are left out."""
    for i, kind in enumerate(extra):
        if kind in (_PREMULTIPLIED, _STRAIGHT):
            colours, alpha = samples[..., :channels], samples[..., channels + i]
            if kind == _PREMULTIPLIED:
                full = np.iinfo(alpha.dtype).max
                share = np.maximum(alpha, 1).astype(np.float32)[..., None] / full
                colours = np.round(np.minimum(colours / share, full)).astype(colours.dtype)
            return colours, alpha
    return samples[..., :channels], None
