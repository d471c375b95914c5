"""TIFF written in strips, 8 or 16 bits a sample; BigTIFF where 4 GB could be exceeded."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from io import BufferedRandom
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from vosr.imaging.finishing import Layout

_ROWS = 64
"""Rows a strip of the file."""
_LEVEL = 6
_BIG = 4_000_000_000
_BLOCKS = {ExifTags.IFD.Exif: "ExifTag", ExifTags.IFD.GPSInfo: "GPSTag"}
_TYPES = {str: 2, bytes: 1, int: 4}
"""Python's types to TIFF's: ASCII, BYTE and LONG."""
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296


def write_tiff(path: Path, layout: Layout, strips: Iterable[NDArray]) -> None:
    """Write strips (rows, W, channels) of ``layout.dtype`` from top to bottom, losslessly compressed."""
    exif = _loaded(layout.exif)
    big = layout.height * layout.width * layout.channels * np.dtype(layout.dtype).itemsize > _BIG
    blocks = {} if big else {block: exif.get_ifd(block) for block in _BLOCKS if exif.get_ifd(block)}
    shape = (layout.height, layout.width, layout.channels)
    with tifffile.TiffWriter(path, bigtiff=big, byteorder="<") as file:
        file.write(
            _encoded(_even(strips, _ROWS)),
            shape=shape[:2] if layout.channels == 1 else shape,
            dtype=layout.dtype,
            photometric="minisblack" if layout.grey else "rgb",
            extrasamples=("unassalpha",) if layout.alpha else None,
            planarconfig="contig" if layout.channels > 1 else None,
            rowsperstrip=_ROWS,
            compression="adobe_deflate",
            predictor=True,
            iccprofile=layout.profile,
            metadata=None,
            software=False,
            resolution=_resolution(exif),
            resolutionunit=exif.get(_RESOLUTION_UNIT, 2) if _resolution(exif) else None,
            extratags=[*_tags(exif), *((_BLOCKS[block], _TYPES[int], 1, 0, True) for block in blocks)],
        )
    if blocks:
        _append(path, blocks)


def _append(path: Path, blocks: dict[ExifTags.IFD, dict[int, Any]]) -> None:
    """Put EXIF's own directories behind the image and let the first directory point to them."""
    with path.open("r+b") as file:
        for block, content in blocks.items():
            directory = ImageFileDirectory_v2(b"II\x2a\0\x08\0\0\0")
            for tag, value in content.items():
                directory[tag] = value
            end = file.seek(0, 2)
            end += file.write(b"\0" * (end % 2))
            file.write(directory.tobytes(end))
            file.seek(_value_of(file, int(block)))
            file.write(struct.pack("<I", end))


def _value_of(file: BufferedRandom, tag: int) -> int:
    """Where the value of a tag of the first directory lies; tifffile would follow the pointer that is not set yet."""
    file.seek(4)
    (start,) = struct.unpack("<I", file.read(4))
    file.seek(start)
    (count,) = struct.unpack("<H", file.read(2))
    entries = file.read(12 * count)
    tags = [struct.unpack_from("<H", entries, 12 * i)[0] for i in range(count)]
    return start + 2 + 12 * tags.index(tag) + 8


def _loaded(exif: bytes | None) -> Image.Exif:
    loaded = Image.Exif()
    if exif:
        loaded.load(exif)
    return loaded


def _tags(exif: Image.Exif) -> Iterator[tuple[int, int, int | None, str | bytes | int, bool]]:
    """Texts, bytes and numbers of EXIF's first directory (maker, model, author, date ...)."""
    apart = (*_BLOCKS, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT)
    for tag, value in exif.items():
        if tag not in apart and type(value) in _TYPES and value not in ("", b""):
            content = value.encode() if isinstance(value, str) else value
            yield (
                int(tag),
                _TYPES[type(value)],
                len(content) if isinstance(content, bytes) else 1,
                content,
                True,
            )


def _resolution(exif: Image.Exif) -> tuple[float, float] | None:
    if _X_RESOLUTION not in exif or _Y_RESOLUTION not in exif:
        return None
    return float(exif[_X_RESOLUTION]), float(exif[_Y_RESOLUTION])


def _encoded(strips: Iterable[NDArray]) -> Iterator[bytes]:
    """Deflate after horizontal differences (predictor 2); tifffile's own encoding wants the whole image."""
    for strip in strips:
        differences = strip.astype(strip.dtype.newbyteorder("<"))
        differences[:, 1:] -= strip[:, :-1]
        yield zlib.compress(differences.tobytes(), _LEVEL)


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
