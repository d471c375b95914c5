"""EXIF as a structure of typed values that are carried byte for byte.

Pillow's writer re-encodes text as ASCII, changes types and loses the whole block where one value is broken; here a
value is only ever copied, and a broken one is left out by itself.
"""

import struct
from dataclasses import dataclass, field, replace

from PIL import ExifTags

from vosr.imaging.tiff_directory import (
    LONG,
    LONG8,
    RATIONAL,
    SHORT,
    Directory,
    Entry,
    Order,
    Read,
    packed,
    read_directory,
    whole_number,
)

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x0112, 0x011A, 0x011B, 0x0128
PHOTO, GPS, INTEROP = 0x8769, 0x8825, 0xA005
"""Tags that point to directories of their own."""
MAKER_NOTE, _WIDTH, _HEIGHT, _INTEROP_INDEX = 0x927C, 0xA002, 0xA003, 1
_PLACES = ("main", "photo", "gps", "interop")
_MARKER = b"Exif\0\0"
_OF_THE_FILE = frozenset({
    *range(254, 260), 262, 266, ORIENTATION, *range(273, 282), *range(284, 294), 301, *range(317, 326), 330, 332,
    *range(336, 348), *range(512, 533), 700, 32997, 32998, 33550, 33723, 33920, 33922, 34264, 34377,
    34675, *range(34735, 34738), 37724, 40965, 42112, 42113, *range(50706, 52600), PHOTO, GPS, INTEROP,
})  # fmt: skip
"""Tags that say how the pixels of a TIFF are stored or lie on a map, and blocks of other programs."""


@dataclass(frozen=True)
class Exif:
    """The directories of EXIF.

    Attributes:
        order: byte order of all values, as in :mod:`struct`.
        main: camera, author, resolution; in a TIFF also how it is stored.
        photo: exposure and the like.
        gps: place.
        interop: colour space of the camera.
        damaged: number of values that could not be read.
    """

    order: Order = "<"
    main: Directory = field(default_factory=dict)
    photo: Directory = field(default_factory=dict)
    gps: Directory = field(default_factory=dict)
    interop: Directory = field(default_factory=dict)
    damaged: int = 0

    @classmethod
    def parse(cls, block: bytes | None) -> "Exif":
        """From a block as JPEG, PNG and WebP hold it, with or without its marker; empty where it is none."""
        body = (block or b"").removeprefix(_MARKER)
        orders: dict[bytes, Order] = {b"II*\0": "<", b"MM\0*": ">"}
        order = orders.get(body[:4])
        if order is None or len(body) < 8:
            return cls(damaged=int(bool(body)))
        return cls.read(
            lambda at, length: body[at : at + length], order, struct.unpack(order + "I", body[4:8])[0]
        )

    @classmethod
    def read(cls, read: Read, order: Order, offset: int, big: bool = False) -> "Exif":
        """From a TIFF (``big`` for BigTIFF) whose first directory lies at ``offset``."""
        main, damaged = read_directory(read, order, offset, big)
        found: dict[int, Directory] = {}
        for tag, parent in ((PHOTO, main), (GPS, main), (INTEROP, None)):
            pointer = (found[PHOTO] if parent is None else parent).get(tag)
            at = whole_number(pointer, order)
            found[tag], bad = read_directory(read, order, at, big) if at else ({}, 0)
            damaged += bad
        main = {tag: entry for tag, entry in main.items() if tag not in (PHOTO, GPS)}
        found[PHOTO].pop(INTEROP, None)
        return cls(order, main, found[PHOTO], found[GPS], found[INTEROP], damaged)

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return not (self.main or self.photo or self.gps)

    def whole(self, tag: int) -> int | None:
        """A whole number of the main directory."""
        return whole_number(self.main.get(tag), self.order)

    def ratio(self, tag: int) -> float | None:
        """A rational number of the main directory that is above 0; None for 0/0 and the like."""
        entry = self.main.get(tag)
        if entry is None or entry.kind != RATIONAL or len(entry.data) < 8:
            return None
        above, below = struct.unpack(self.order + "II", entry.data[:8])
        return above / below if above and below else None

    @property
    def adobe_rgb(self) -> bool:
        """Whether the camera says that the colours are those of Adobe RGB (DCF's R03)."""
        index = self.interop.get(_INTEROP_INDEX)
        return index is not None and index.data.startswith(b"R03")

    def kept(self) -> "Exif":
        """Without orientation, thumbnail and what belongs to a TIFF's storage."""
        main = {tag: entry for tag, entry in self.main.items() if tag not in _OF_THE_FILE}
        return replace(self, main=main)

    def sized(self, width: int, height: int) -> "Exif":
        """With another size of the image, where one is given."""
        new = {tag: self.entry_of(LONG, side) for tag, side in ((_WIDTH, width), (_HEIGHT, height))}
        return replace(self, photo={tag: new.get(tag, entry) for tag, entry in self.photo.items()})

    def with_main(self, entries: Directory) -> "Exif":
        """With some values of the main directory set."""
        return replace(self, main={**self.main, **entries})

    def without(self, tags: set[int]) -> "Exif":
        """Without some values of the main directory."""
        return replace(self, main={tag: entry for tag, entry in self.main.items() if tag not in tags})

    def shortened(self, longest: int) -> tuple["Exif", list[str]]:
        """With its longest values left out, the maker's private notes first, until it has ``longest`` bytes."""
        places: dict[str, Directory] = {place: dict(getattr(self, place)) for place in _PLACES}
        names: list[str] = []
        total = len(self.tobytes())
        order = sorted(
            (
                (tag == MAKER_NOTE, len(entry.data), place, tag)
                for place in _PLACES
                for tag, entry in places[place].items()
            ),
            reverse=True,
        )
        for _, length, place, tag in order:
            if total <= longest:
                break
            del places[place][tag]
            total -= length
            names.append(ExifTags.TAGS.get(tag, f"tag {tag}"))
        return Exif(self.order, places["main"], places["photo"], places["gps"], places["interop"]), names

    def entry_of(self, kind: int, *values: int) -> Entry:
        """Whole numbers or, in pairs, a rational number as an entry."""
        code = {SHORT: "H", LONG: "I", RATIONAL: "I"}[kind]
        data = struct.pack(f"{self.order}{len(values)}{code}", *values)
        return Entry(kind, len(values) // (2 if kind == RATIONAL else 1), data)

    def tobytes(self) -> bytes:
        """As a block that begins with EXIF's marker."""
        magic = b"II*\0" if self.order == "<" else b"MM\0*"
        head = magic + struct.pack(self.order + "I", 8)
        pointers, _ = self.blocks(0)
        start = len(head) + len(packed({**self.main, **pointers}, self.order, 0))
        pointers, behind = self.blocks(start)
        return _MARKER + head + packed({**self.main, **pointers}, self.order, len(head)) + behind

    def blocks(self, offset: int, big: bool = False) -> tuple[Directory, bytes]:
        """The directories other than the main one as they stand at ``offset``, and entries that point to them."""
        behind, pointers = b"", {}
        photo = dict(self.photo)
        if self.interop:
            photo[INTEROP] = self._pointer(offset, big)
            behind += packed(self.interop, self.order, offset, big)
        for tag, content in ((PHOTO, photo), (GPS, self.gps)):
            if content:
                pointers[tag] = self._pointer(offset + len(behind), big)
                behind += packed(content, self.order, offset + len(behind), big)
        return pointers, behind

    def _pointer(self, offset: int, big: bool) -> Entry:
        return Entry(LONG8, 1, struct.pack(self.order + "Q", offset)) if big else self.entry_of(LONG, offset)
