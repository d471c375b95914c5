"""IPTC-IIM records in Photoshop's image resources, as JPEG and PNG carry them."""

import struct

_RESOURCE, _IPTC = b"8BIM", 0x0404
_APP13 = b"\xff\xed"
_NAME = b"Photoshop 3.0\0"


def from_resources(block: bytes) -> bytes | None:
    """The IPTC records in a block of resources, or the block itself where it is one of records."""
    block = block.removeprefix(_NAME)
    if block[:1] == b"\x1c":
        return block
    at = 0
    while block[at : at + 4] == _RESOURCE and at + 12 <= len(block):
        (number,) = struct.unpack(">H", block[at + 4 : at + 6])
        name = block[at + 6] + 1
        start = at + 6 + name + name % 2
        (length,) = struct.unpack(">I", block[start : start + 4].rjust(4, b"\0"))
        if number == _IPTC:
            return block[start + 4 : start + 4 + length]
        at = start + 4 + length + length % 2
    return None


def as_resources(records: bytes) -> bytes:
    """A block of resources that holds nothing but IPTC records."""
    return _RESOURCE + struct.pack(">HHI", _IPTC, 0, len(records)) + records + b"\0" * (len(records) % 2)


def jpeg_segment(records: bytes) -> bytes:
    """The segment of a JPEG that holds IPTC records."""
    body = _NAME + as_resources(records)
    return _APP13 + struct.pack(">H", len(body) + 2) + body


def png_text(records: bytes) -> tuple[str, str]:
    """Keyword and text by which ImageMagick and exiftool put IPTC into a PNG."""
    block = as_resources(records)
    lines = [block[i : i + 36].hex() for i in range(0, len(block), 36)]
    return "Raw profile type iptc", "\n".join(["", "iptc", f"{len(block):8d}", *lines, ""])
