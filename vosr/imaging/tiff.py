"""TIFF through tifffile, in strips, 8 or 16 bits a sample; BigTIFF where 4 GB could be exceeded.

Own code only for the directories of EXIF and GPS, as tifffile writes directories of pages alone, and for compressing
strip by strip, as its own encoding wants the whole image.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from vosr.imaging.exif import GPS, PHOTO, RESOLUTION_UNIT, X_RESOLUTION, Y_RESOLUTION, Exif
from vosr.imaging.layout import Layout
from vosr.imaging.tiff_directory import Order

_ROWS = 64
"""Rows a strip of the file."""
_LEVEL = 6
_BIG = 4_000_000_000
_XMP, _IPTC = 700, 33723
_BYTE, _UNDEFINED = 1, 7
_BY_TIFFFILE = {X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, 305, 306}
"""Tags that have arguments of their own."""
_INCH = 2
_POINTERS = {PHOTO: "ExifTag", GPS: "GPSTag"}
"""tifffile leaves these tags out where they are given by number: it cannot know where they point."""
Tag = tuple[int | str, int, int | None, Any, bool]


def write_tiff(path: Path, layout: Layout, strips: Iterable[NDArray]) -> None:
    """Write strips (rows, W, channels) of ``layout.dtype`` from top to bottom, losslessly compressed."""
    write_pages(path, [(layout, strips)])


def write_pages(path: Path, pages: Sequence[tuple[Layout, Iterable[NDArray]]]) -> None:
    """Write several images into one file, each as :func:`write_tiff` does; EXIF is that of the first."""
    first = pages[0][0]
    exif = Exif.parse(first.metadata.exif)
    size = sum(page.height * page.width * page.channels * np.dtype(page.dtype).itemsize for page, _ in pages)
    with tifffile.TiffWriter(path, bigtiff=size > _BIG, byteorder=exif.order) as file:
        tags = list(_tags(file, exif, first, size > _BIG))
        for number, (layout, strips) in enumerate(pages):
            _write_page(file, layout, strips, exif, [] if number else tags)


def _write_page(
    file: tifffile.TiffWriter, layout: Layout, strips: Iterable[NDArray], exif: Exif, tags: list[Tag]
) -> None:
    shape = (layout.height, layout.width, layout.channels)
    file.write(
        _encoded(_even(strips, _ROWS), exif.order),
        shape=shape[:2] if layout.channels == 1 else shape,
        dtype=np.dtype(layout.dtype).newbyteorder(exif.order),
        photometric="minisblack" if layout.grey else "rgb",
        extrasamples=("unassalpha",) if layout.alpha else None,
        planarconfig="contig" if layout.channels > 1 else None,
        rowsperstrip=_ROWS,
        compression="adobe_deflate",
        predictor=True,
        iccprofile=layout.profile,
        metadata=None,
        software=(tags and _text(exif, 305)) or False,
        datetime=(tags and _text(exif, 306)) or None,
        resolution=layout.metadata.resolution,
        resolutionunit=_INCH if layout.metadata.resolution else None,
        extratags=tags,
    )


def _tags(file: tifffile.TiffWriter, exif: Exif, layout: Layout, big: bool) -> Iterator[Tag]:
    """What is kept beside the pixels; EXIF's own directories are written first, so that where they lie is known."""
    at = file.filehandle.seek(0, 2)
    pointers, blocks = exif.blocks(at, big)
    file.filehandle.write(blocks)
    for code, (kind, count, data) in pointers.items():
        yield _POINTERS[code], kind, count, data, True
    for code, (kind, count, data) in exif.main.items():
        if code not in _BY_TIFFFILE:
            yield code, kind, count, data, True
    for code, kind, content in (
        (_XMP, _BYTE, layout.metadata.xmp),
        (_IPTC, _UNDEFINED, layout.metadata.iptc),
    ):
        if content:
            yield code, kind, len(content), content, True


def _text(exif: Exif, code: int) -> str | None:
    entry = exif.main.get(code)
    return entry.data.rstrip(b"\0").decode("ascii", "replace") if entry is not None else None


def _encoded(strips: Iterable[NDArray], order: Order) -> Iterator[bytes]:
    """Deflate after horizontal differences (predictor 2)."""
    for strip in strips:
        ordered = np.ascontiguousarray(strip, strip.dtype.newbyteorder(order))
        yield zlib.compress(imagecodecs.delta_encode(ordered, axis=1).tobytes(), _LEVEL)


def _even(strips: Iterable[NDArray], rows: int) -> Iterator[NDArray]:
    """Strips of any heights as strips of ``rows`` each; the last may have fewer. One channel loses its axis."""
    held: list[NDArray] = []
    for strip in strips:
        held.append(strip[..., 0] if strip.shape[2] == 1 else strip)
        if sum(map(len, held)) < rows:
            continue
        joined = np.concatenate(held)
        whole = len(joined) // rows * rows
        yield from np.split(joined[:whole], whole // rows)
        held = [joined[whole:]]
    rest = np.concatenate(held)
    if len(rest):
        yield rest
