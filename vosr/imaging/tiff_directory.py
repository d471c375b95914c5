"""Directories of TIFF, which EXIF uses too: tables of typed values, read and packed byte for byte."""

import struct
from collections.abc import Callable
from typing import Literal, NamedTuple

SHORT, LONG, RATIONAL, LONG8 = 3, 4, 5, 16
_SIZES = {
    1: 1,
    2: 1,
    SHORT: 2,
    LONG: 4,
    RATIONAL: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
}
"""Bytes of a value of each type of TIFF."""
_MOST_TAGS, _LONGEST = 4096, 2**24
"""Of a directory: its values, and their bytes together."""


class Entry(NamedTuple):
    """A value: its type and number in TIFF's terms, and its bytes in the byte order of the file."""

    kind: int
    values: int
    data: bytes


Directory = dict[int, Entry]
Order = Literal["<", ">"]
Read = Callable[[int, int], bytes]
"""Bytes of a file, by offset and length; fewer at its end."""


def read_directory(read: Read, order: str, offset: int, big: bool) -> tuple[Directory, int]:
    """Values of the directory at ``offset``, and how many could not be read."""
    number, entry = (order + "Q", order + "HHQ8s") if big else (order + "H", order + "HHI4s")
    head = read(offset, struct.calcsize(number))
    if len(head) < struct.calcsize(number):
        return {}, 1
    count = min(struct.unpack(number, head)[0], _MOST_TAGS)
    size = struct.calcsize(entry)
    table = read(offset + len(head), count * size)
    found: Directory = {}
    room = _LONGEST
    for tag, kind, values, inline in struct.iter_unpack(entry, table[: len(table) // size * size]):
        data = _value(read, order, kind, values, inline, room)
        if data is not None and tag not in found:
            found[tag] = Entry(kind, values, data)
            room -= len(data)
    return found, count - len(found)


def _value(read: Read, order: str, kind: int, count: int, inline: bytes, room: int) -> bytes | None:
    length = _SIZES.get(kind, 0) * count
    if not 0 < length <= room:
        return None
    if length <= len(inline):
        return inline[:length]
    (at,) = struct.unpack(order + ("Q" if len(inline) == 8 else "I"), inline)
    data = read(at, length)
    return data if len(data) == length else None


def packed(directory: Directory, order: str, offset: int, big: bool = False) -> bytes:
    """A directory as it stands at ``offset``, its long values behind it."""
    number, entry, pointer = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    size, inline = struct.calcsize("=" + entry), 8 if big else 4
    at = offset + struct.calcsize("=" + number) + size * len(directory) + inline
    table, behind = struct.pack(order + number, len(directory)), b""
    for tag, (kind, count, data) in sorted(directory.items()):
        value = data
        if len(data) > inline:
            value = struct.pack(order + pointer, at + len(behind))
            behind += data + b"\0" * (len(data) % 2)
        table += struct.pack(order + entry, tag, kind, count, value)
    return table + b"\0" * inline + behind


def whole_number(entry: Entry | None, order: str) -> int | None:
    """First whole number of a value; None where it is of another type."""
    if entry is None or entry.kind not in (SHORT, LONG, 13, 16) or not entry.values:
        return None
    code = {2: "H", 4: "I", 8: "Q"}[_SIZES[entry.kind]]
    return int(struct.unpack_from(order + code, entry.data)[0])
