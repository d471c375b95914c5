"""PNG taken apart: the image alone for the decoders, and what its other chunks say.

A decoder refuses the whole image for a broken or long text, profile or EXIF; none of them is worth that.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from vosr.imaging.colour_tags import profile_of_codes, profile_of_gamma, refuse_hdr
from vosr.imaging.exif import Exif
from vosr.imaging.iptc import from_resources

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_OF_THE_IMAGE = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT", b"CgBI"}
_KNOWN = {b"iCCP", b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"pHYs"}
CREDENTIALS = "content credentials (C2PA) left out: they vouch for the original"
_LONGEST, _MOST = 2**25, 2**26
"""Bytes of an unpacked chunk, and of all together."""
_SIGNED = b"caBX"
_XMP = "XML:com.adobe.xmp"
_RAW = "Raw profile type "
_INCH = 0.0254


@dataclass
class PngParts:
    """What a PNG holds.

    Attributes:
        image: a PNG with nothing but the image (and the frames of an animation).
        depth: bits a sample.
        grey: whether it has one channel of colour.
        profile: ICC profile: that of the file, or one for the colours that it describes otherwise.
        exif: parsed.
        xmp: packet.
        iptc: records of IPTC-IIM.
        text: keywords and texts.
        resolution: pixels an inch.
        notes: what was left out, in words.
    """

    image: bytes
    depth: int
    grey: bool
    profile: bytes | None = None
    exif: Exif = field(default_factory=Exif)
    xmp: bytes | None = None
    iptc: bytes | None = None
    text: tuple[tuple[str, str], ...] = ()
    resolution: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def take_apart(data: bytes) -> PngParts:
    """Separate the image from the rest.

    Raises:
        ValueError: no PNG, or one in HDR.
    """
    kept: list[bytes] = [SIGNATURE]
    others: dict[bytes, list[bytes]] = {}
    broken = []
    for kind, start, end in _chunks(data):
        if kind in _OF_THE_IMAGE:
            kept.append(data[start:end])
        elif kind in _KNOWN and _sound(data, start, end):
            others.setdefault(kind, []).append(data[start + 8 : end - 4])
        elif kind in _KNOWN:
            broken.append(kind.decode())
        elif kind == _SIGNED:
            others[kind] = []
    head = data[16:33]
    if len(head) < 17 or data[12:16] != b"IHDR":
        raise ValueError("its head is damaged")
    parts = PngParts(b"".join(kept), head[8], head[9] in (0, 4))
    _Reader(parts, others, broken).read()
    return parts


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of every chunk; the last may be cut off."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        end = min(at + 12 + length, len(data))
        yield kind, at, end
        at = end
        if kind == b"IEND":
            return


def _sound(data: bytes, start: int, end: int) -> bool:
    (length,) = struct.unpack(">I", data[start : start + 4])
    whole = end - start == 12 + length
    return whole and zlib.crc32(data[start + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")


class _Reader:
    """Reads the chunks beside the image; one that is broken is noted."""

    def __init__(self, parts: PngParts, chunks: dict[bytes, list[bytes]], broken: list[str]) -> None:
        self._parts, self._chunks, self._broken = parts, chunks, broken
        self._room = _MOST
        self._text: list[tuple[str, str]] = []

    def read(self) -> None:
        """Fill in everything."""
        for kind, take in ((b"tEXt", self._latin), (b"zTXt", self._packed), (b"iTXt", self._unicode)):
            for body in self._chunks.get(kind, []):
                self._tried(kind, take, body)
        for body in self._chunks.get(b"eXIf", []):
            self._parts.exif = Exif.parse(body)
        for body in self._chunks.get(b"pHYs", []):
            self._tried(b"pHYs", self._physical, body)
        self._colours()
        self._parts.text = tuple(self._text)
        if _SIGNED in self._chunks:
            self._parts.notes += (CREDENTIALS,)
        if self._broken:
            self._parts.notes += (f"damaged parts left out: {', '.join(dict.fromkeys(self._broken))}",)

    def _tried(self, kind: bytes, take: "object", body: bytes) -> None:
        try:
            take(body)  # type: ignore[operator]
        except (ValueError, IndexError, struct.error, zlib.error):
            self._broken.append(kind.decode())

    def _unpacked(self, packed: bytes) -> bytes:
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(packed, min(_LONGEST, self._room))
        if not unpacker.eof:
            raise ValueError("cut off, or too long")
        self._room -= len(content)
        return content

    def _latin(self, body: bytes) -> None:
        key, _, value = body.partition(b"\0")
        self._add(key.decode("latin-1"), value.decode("latin-1"))

    def _packed(self, body: bytes) -> None:
        key, _, rest = body.partition(b"\0")
        self._add(key.decode("latin-1"), self._unpacked(rest[1:]).decode("latin-1"))

    def _unicode(self, body: bytes) -> None:
        key, _, rest = body.partition(b"\0")
        value = rest[2:].split(b"\0", 2)[2]
        self._add(key.decode("latin-1"), (self._unpacked(value) if rest[0] else value).decode("utf-8"))

    def _add(self, key: str, value: str) -> None:
        if key == _XMP:
            self._parts.xmp = value.encode()
        elif key.startswith(_RAW):
            self._raw(key.removeprefix(_RAW).lower(), value)
        else:
            self._text.append((key, value))

    def _raw(self, kind: str, value: str) -> None:
        """A block as ImageMagick and exiftool put it into text: its length in bytes, then hexadecimal."""
        content = bytes.fromhex("".join(value.split()[2:]))
        if kind in ("exif", "app1") and content.startswith(b"Exif") and self._parts.exif.empty:
            self._parts.exif = Exif.parse(content)
        elif kind in ("iptc", "8bim"):
            self._parts.iptc = from_resources(content)
        elif kind in ("xmp", "app1") and self._parts.xmp is None:
            self._parts.xmp = content[content.find(b"<") :]

    def _physical(self, body: bytes) -> None:
        x, y, unit = struct.unpack(">IIB", body)
        if unit == 1:
            self._parts.resolution = (x * _INCH, y * _INCH)

    def _colours(self) -> None:
        """By the order in which the PNG specification lets one chunk overrule another."""
        if b"cICP" in self._chunks:
            body = self._chunks[b"cICP"][0]
            if len(body) == 4:
                self._parts.profile = profile_of_codes(body[0], body[1], bool(body[3]), body[2])
                return self._note("cICP")
            self._broken.append("cICP")
        for body in self._chunks.get(b"iCCP", [])[:1]:
            refuse_hdr(body)
            self._tried(b"iCCP", self._profile, body)
        if self._parts.profile is None and b"sRGB" not in self._chunks:
            self._tried(b"gAMA or cHRM", self._described, b"")
        return None

    def _profile(self, body: bytes) -> None:
        _, _, rest = body.partition(b"\0")
        self._parts.profile = self._unpacked(rest[1:])

    def _described(self, _: bytes) -> None:
        gammas, points = self._chunks.get(b"gAMA"), self._chunks.get(b"cHRM")
        if not gammas and not points:
            return
        gamma = struct.unpack(">I", gammas[0])[0] / 100_000 if gammas else None
        xy = [value / 100_000 for value in struct.unpack(">8I", points[0])] if points else None
        self._parts.profile = profile_of_gamma(gamma, xy, self._parts.grey)
        self._note("gAMA and cHRM" if gammas and points else "gAMA" if gammas else "cHRM")

    def _note(self, what: str) -> None:
        if self._parts.profile is not None:
            self._parts.notes += (f"its {what} became a colour profile",)
