"""PNG written in strips: 8 or 16 bits a sample, any height in the memory of one strip.

Own code, as Pillow holds the whole image and writes no 16-bit colour, and imagecodecs writes no ICC profile, no
metadata and no part of an image.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from io import BufferedWriter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosr.imaging.iptc import png_text
from vosr.imaging.layout import Layout

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KINDS = {1: 0, 2: 4, 3: 2, 4: 6}
"""Channels to PNG's colour types."""
_LEVEL = 6
_INCH = 0.0254
_ROWS = 64
"""Rows filtered at a time, so that they stay in the processor's cache."""


def write_png(path: Path, layout: Layout, strips: Iterable[NDArray]) -> None:
    """Write strips (rows, W, channels) of ``layout.dtype`` from top to bottom."""
    with path.open("wb") as file:
        file.write(_SIGNATURE)
        depth = 16 if layout.deep else 8
        head = struct.pack(">IIBBBBB", layout.width, layout.height, depth, _KINDS[layout.channels], 0, 0, 0)
        _chunk(file, b"IHDR", head)
        for kind, content in _described(layout):
            _chunk(file, kind, content)
        packer = zlib.compressobj(_LEVEL)
        above = np.zeros(layout.width * layout.channels * (depth // 8), np.uint8)
        for strip in strips:
            raw = _bytes(strip)
            for first in range(0, len(raw), _ROWS):
                part = raw[first : first + _ROWS]
                _chunk(file, b"IDAT", packer.compress(_filtered(part, above, layout.channels * depth // 8)))
                above = part[-1]
        _chunk(file, b"IDAT", packer.flush())
        _chunk(file, b"IEND", b"")


def _described(layout: Layout) -> Iterator[tuple[bytes, bytes]]:
    """Chunks that come before the image."""
    metadata = layout.metadata
    if layout.profile:
        yield b"iCCP", b"ICC Profile\0\0" + zlib.compress(layout.profile)
    if metadata.resolution:
        x, y = (min(2**31 - 1, max(1, round(value / _INCH))) for value in metadata.resolution)
        yield b"pHYs", struct.pack(">IIB", x, y, 1)
    if metadata.exif:
        yield b"eXIf", metadata.exif.removeprefix(b"Exif\0\0")
    if metadata.xmp:
        yield b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp
    if metadata.iptc:
        key, value = png_text(metadata.iptc)
        yield b"zTXt", key.encode() + b"\0\0" + zlib.compress(value.encode())
    for key, value in metadata.text:
        name = key.encode("latin-1", "replace")[:79]
        try:
            yield b"tEXt", name + b"\0" + value.encode("latin-1")
        except UnicodeEncodeError:
            yield b"iTXt", name + b"\0\0\0\0\0" + value.encode()


def _chunk(file: BufferedWriter, kind: bytes, data: bytes) -> None:
    if data or kind == b"IEND":
        file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))


def _bytes(strip: NDArray) -> NDArray[np.uint8]:
    """(rows, bytes a row), most significant byte first."""
    ordered = np.ascontiguousarray(strip, strip.dtype.newbyteorder(">"))
    return ordered.reshape(len(strip), -1).view(np.uint8)


def _filtered(raw: NDArray[np.uint8], above: NDArray[np.uint8], pixel: int) -> bytes:
    """Each row by the filter that leaves the smallest sum of differences, after the number of the filter."""
    up = np.concatenate([above[None], raw[:-1]])
    left, corner = np.zeros_like(raw), np.zeros_like(raw)
    left[:, pixel:], corner[:, pixel:] = raw[:, :-pixel], up[:, :-pixel]
    candidates = np.stack([raw, raw - left, raw - up, raw - _paeth(left, up, corner)])
    cost = np.abs(candidates.view(np.int8).astype(np.int16)).sum(-1, dtype=np.int64)
    best = cost.argmin(0)
    numbers = np.array([0, 1, 2, 4], np.uint8)[best]
    rows = candidates[best, np.arange(len(raw))]
    return np.concatenate([numbers[:, None], rows], 1).tobytes()


def _paeth(left: NDArray[np.uint8], up: NDArray[np.uint8], corner: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of three neighbours the one that is nearest to left + up - corner."""
    across, down = up.astype(np.int16) - corner, left.astype(np.int16) - corner
    to_left, to_up, to_corner = np.abs(across), np.abs(down), np.abs(across + down)
    nearest = np.where(to_up <= to_corner, up, corner)
    return np.where((to_left <= to_up) & (to_left <= to_corner), left, nearest)
