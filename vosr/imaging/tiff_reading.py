"""TIFF through tifffile: any depth, planar or not, tiled or not, grey, RGB, CMYK or palette.

Pillow reads 8 bits of 16, refuses floating point, and loses uncompressed images that are stored on their side.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray

from vosr.imaging.decoded import DecodedImage
from vosr.imaging.errors import UnsupportedError
from vosr.imaging.exif import Exif
from vosr.imaging.iptc import from_resources
from vosr.imaging.limits import MOST_IMAGES, Header
from vosr.imaging.metadata import gathered
from vosr.imaging.sample_scale import unit_range, whole_range

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _INKS, _YCBCR = 0, 1, 2, 3, 5, 6
_CHANNELS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _INKS: 4, _YCBCR: 3}
_OTHER_COLOURS = {4: "a transparency mask", 8: "CIELab", 9: "ICCLab", 10: "ITULab", 32803: "a raw mosaic (CFA)",
                  32844: "LogL", 32845: "LogLuv", 34892: "raw (LinearRaw)"}  # fmt: skip
_JPEG, _UNCOMPRESSED = 7, 1
_PROFILE, _XMP, _IPTC, _RESOURCES, _LAYERS, _BELOW = 34675, 700, 33723, 34377, 37724, 330
_NUMBERS = {256: "width", 257: "height", 259: "compression", 262: "kind of colours", 277: "number of samples",
            278: "number of rows in a strip"}  # fmt: skip
_PREMULTIPLIED, _STRAIGHT = 1, 2
_END_OF_JPEG = b"\xff\xd9"

logging.getLogger("tifffile").setLevel(
    logging.CRITICAL
)  # it prints about damaged files, which are reported anyway


@dataclass(frozen=True, eq=False)
class TiffPage:
    """An image of a TIFF, not decoded yet.

    Attributes:
        index: place in the chain of directories, as Pillow counts.
        header: what it takes.
        page: tifffile's.
    """

    index: int
    header: Header
    page: tifffile.TiffPage

    @property
    def readable(self) -> bool:
        """Whether tifffile decodes its colours; CIELab and other YCbCr are left to Pillow."""
        page = self.page
        known = page.photometric in _CHANNELS and page.axes in ("YX", "YXS", "SYX")
        enough = page.samplesperpixel >= _CHANNELS.get(page.photometric, 0)
        return known and enough and (page.photometric != _YCBCR or page.compression == _JPEG)

    @property
    def colours(self) -> str:
        """What kind of colours it has, where it is a rare one."""
        return _OTHER_COLOURS.get(int(self.page.photometric), f"colours of kind {int(self.page.photometric)}")


@contextmanager
def opened_tiff(binary: BinaryIO) -> Iterator[list[TiffPage]]:
    """Images of a file in their order, thumbnails left out; directories that point back are not followed.

    Raises:
        ValueError: a directory is damaged.
        UnsupportedError: camera raw.
        Exception: what tifffile raises.
    """
    try:
        file = tifffile.TiffFile(binary)
    except (
        TypeError,
        IndexError,
        KeyError,
    ) as error:  # it computes with whatever stands in the first directory
        raise ValueError("its directory is damaged: a field is not of its kind") from error
    with file:
        yield _pages_of(file)


def _pages_of(file: tifffile.TiffFile) -> list[TiffPage]:
    found = []
    for index, page in enumerate(_chain(file)):
        for code, name in _NUMBERS.items():
            if code in page.tags and not isinstance(page.tags[code].value, int):
                raise ValueError(f"its directory is damaged: its {name} is not one number")
        frames = max(1, page.imagedepth)
        dtype = page.dtype or np.dtype(np.uint8)
        header = Header(
            page.imagewidth, page.imagelength * frames, page.samplesperpixel, max(1, dtype.itemsize), frames=1
        )
        found.append(TiffPage(index, header, page))
    if not found:
        raise ValueError("it is truncated: no image in it is described to the end")
    whole = [page for page in found if not page.page.is_reduced]
    if not whole and _BELOW in found[0].page.tags:
        raise UnsupportedError("it is a camera raw file (DNG, NEF or the like), which is not supported")
    return whole or found[:1]


def read_page(page: TiffPage, binary: BinaryIO) -> DecodedImage:
    """Decode an image that is :attr:`~TiffPage.readable`. Raises what tifffile does.

    Args:
        page: of an open file.
        binary: that file.
    """
    tags, kind = page.page.tags, page.page.photometric
    _check_whole(page.page, binary)
    colours, alpha, notes = _samples(page.page, _CHANNELS[kind])
    if kind == _WHITE_IS_ZERO:
        colours = np.iinfo(colours.dtype).max - colours
    profile = tags[_PROFILE].value if _PROFILE in tags else None
    metadata, orientation, more = gathered(
        _exif(page.page, binary), _bytes(tags, _XMP), from_resources(_bytes(tags, _IPTC) or b"")
        or _swapped_records(tags) or from_resources(_bytes(tags, _RESOURCES) or b""),
    )  # fmt: skip
    layers = ("layers of Photoshop left out",) if _LAYERS in tags else ()
    return DecodedImage(colours, alpha, orientation, profile, metadata, "TIFF", (*notes, *more, *layers))


def read_without_pixels(page: TiffPage, binary: BinaryIO) -> DecodedImage:
    """Everything but the pixels, for an image that Pillow decodes."""
    metadata, orientation, notes = gathered(_exif(page.page, binary), _bytes(page.page.tags, _XMP))
    empty = np.zeros((0, 0, 3), np.uint8)
    return DecodedImage(empty, None, orientation, None, metadata, "TIFF", notes)


def _chain(file: tifffile.TiffFile) -> Iterator[tifffile.TiffPage]:
    seen: set[int] = set()
    for index in range(MOST_IMAGES + 1):  # one more tells that there are too many
        try:
            page = file.pages[index]
        except IndexError:
            return
        if page.offset in seen or not isinstance(page, tifffile.TiffPage):
            return
        seen.add(page.offset)
        yield page


def _exif(page: tifffile.TiffPage, binary: BinaryIO) -> Exif:
    def read(offset: int, length: int) -> bytes:
        binary.seek(offset)
        return binary.read(length)

    tiff = page.parent.tiff
    return Exif.read(read, tiff.byteorder, page.offset, big=tiff.is_bigtiff)


def _bytes(tags: tifffile.TiffTags, code: int) -> bytes | None:
    value = tags[code].value if code in tags else None
    return value if isinstance(value, bytes) and value else None


def _swapped_records(tags: tifffile.TiffTags) -> bytes | None:
    """IPTC records that some writers declare as an array of LONG."""
    value = tags[_IPTC].value if _IPTC in tags else None
    if not isinstance(value, tuple | np.ndarray):
        return None
    for order in ("<u4", ">u4"):
        records = np.asarray(value).astype(order).tobytes()
        if records[:1] == b"\x1c":
            return records.rstrip(b"\0")
    return None


def _check_whole(page: tifffile.TiffPage, binary: BinaryIO) -> None:
    """Decoders fill up what is missing at the end of a file, and say nothing."""
    end = binary.seek(0, 2)
    if len(page.dataoffsets) != len(page.databytecounts) or not page.dataoffsets:
        raise ValueError("the list of its strips is damaged")
    if not (page.is_tiled or page.rowsperstrip) or not page.bitspersample:
        raise ValueError("its directory is damaged: strips without rows, or samples without bits")
    expected = int(np.prod(page.chunked))
    if len(page.dataoffsets) < expected:
        raise ValueError(f"it is truncated: {len(page.dataoffsets)} of {expected} strips or tiles")
    for offset, length in zip(page.dataoffsets, page.databytecounts):
        if offset + length > end:
            raise ValueError("it is truncated")
        if page.compression == _JPEG and length:
            binary.seek(offset + max(0, length - 64))
            if _END_OF_JPEG not in binary.read(min(64, length)):
                raise ValueError("it is truncated: a JPEG within it has no end")
    samples = page.imagewidth * page.imagelength * page.samplesperpixel
    if page.compression == _UNCOMPRESSED and sum(page.databytecounts) * 8 < samples * page.bitspersample:
        raise ValueError("it is truncated")


def _samples(page: tifffile.TiffPage, channels: int) -> tuple[NDArray, NDArray | None, tuple[str, ...]]:
    samples = page.asarray()
    samples = {"YX": samples[..., None], "SYX": np.moveaxis(samples, 0, -1)}.get(page.axes, samples)
    if page.bitspersample == 24:
        samples = _ordered(samples, page.parent.tiff.byteorder)
    extra = tuple(int(kind) for kind in page.extrasamples)
    if page.colormap is not None:
        colours = _looked_up(samples[..., 0], page.colormap)
        opacity, _ = whole_range(samples, page.bitspersample)
        _, alpha, notes = _split(opacity, 1, extra)
        return colours, alpha, ("palette converted to full colour", *notes)
    scaled, scale_notes = (
        unit_range(samples) if samples.dtype.kind == "f" else whole_range(samples, page.bitspersample)
    )
    colours, alpha, notes = _split(scaled, channels, extra)
    return colours, alpha, (*scale_notes, *notes)


def _ordered(samples: NDArray, order: str) -> NDArray:
    """24-bit samples, which tifffile takes for packed bits, as the byte order of the file has them."""
    if order == "<":
        return (samples & 0xFF) << 16 | samples & 0xFF00 | samples >> 16
    return samples.byteswap()


def _looked_up(indices: NDArray, table: NDArray[np.uint16]) -> NDArray[np.uint8]:
    low = table if table.max() < 256 else table >> 8  # some writers fill in 8 bits of 16
    colours = low.T.astype(np.uint8)[indices]
    grey = not np.ptp(colours, axis=-1).any()
    return colours[..., :1] if grey else colours


def _split(
    samples: NDArray, channels: int, extra: tuple[int, ...]
) -> tuple[NDArray, NDArray | None, tuple[str, ...]]:
    """Colours and straight alpha; channels of other kinds (masks of an editor) are left out."""
    colours, rest = samples[..., :channels], samples[..., channels:]
    if not rest.shape[2]:
        return colours, None, ()
    for i, kind in enumerate(extra[: rest.shape[2]]):
        if kind in (_PREMULTIPLIED, _STRAIGHT):
            return _straight(colours, rest[..., i], kind), rest[..., i], ()
    if not extra and rest.shape[2] == 1 and rest.any():
        return colours, rest[..., 0], ("a last sample of no stated kind taken as opacity",)
    return colours, None, (f"{rest.shape[2]} further channels that are no opacity left out",)


def _straight(colours: NDArray, alpha: NDArray, kind: int) -> NDArray:
    if kind != _PREMULTIPLIED:
        return colours
    full = np.iinfo(alpha.dtype).max
    share = np.maximum(alpha, 1).astype(np.float32)[..., None] / full
    return np.round(np.minimum(colours / share, full)).astype(colours.dtype)
