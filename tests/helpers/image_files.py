"""Image files made by hand, as no library writes them."""

import struct
import zlib

import numpy as np

RAMP = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (16, 1))
"""(16, 32) grey wedge."""
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6" tiff:ImageWidth="32"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
IPTC = b"\x1c\x02\x50\0\x06BYLINE"


def chunk(kind, data, crc=None):
    """A chunk of PNG."""
    crc = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def png(*chunks, samples=None, depth=8):
    """A PNG of ``samples`` (H, W) or (H, W, C) with ``chunks`` before the image."""
    samples = RAMP if samples is None else samples
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[samples.shape[2] if samples.ndim == 3 else 1]
    ordered = samples.astype(">u2" if depth == 16 else np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in ordered)
    head = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], depth, kind, 0, 0, 0)
    parts = (chunk(b"IHDR", head), *chunks, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(tags, data=b"", following=0, order="<"):
    """A TIFF of one directory at 8: tag -> (type, values), LONGs for offsets; ``data`` lies behind it.

    A value ``"data"`` stands for the place of ``data``, ``following`` is the place of the next directory.
    """
    at = 8 + 2 + 12 * len(tags) + 4
    table, behind = struct.pack(order + "H", len(tags)), b""
    for tag, (kind, values) in sorted(tags.items()):
        values = [at if value == "data" else value for value in values]
        raw = struct.pack(f"{order}{len(values)}{ {1: 'B', 3: 'H', 4: 'I', 7: 'B'}[kind] }", *values)
        if len(raw) > 4:
            raw, behind = struct.pack(order + "I", at + len(data) + len(behind)), behind + raw
        table += struct.pack(order + "HHI4s", tag, kind, len(values), raw)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(order + "I", 8) + table + struct.pack(order + "I", following) + data + behind


def grey_tiff(width, height, bits=8, samples=1, data=b"\0", sample_format=1, **more):
    """One uncompressed strip of grey, as its head claims it."""
    tags = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * samples), 259: (3, [1]), 262: (3, [1]),
        273: (4, ["data"]), 277: (3, [samples]), 278: (4, [height]), 279: (4, [len(data)]),
        339: (3, [sample_format] * samples),
    }  # fmt: skip
    return tiff({**tags, **more.pop("tags", {})}, data, **more)
