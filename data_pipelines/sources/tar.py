"""Tar archives in the WebDataset convention, read block by block: a damaged header costs its own sample only."""

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from data_pipelines.sources.fields import KeyRule, is_image, is_side_file, split_key
from vosr.core.files.regular import MOST_BYTES

BLOCK = 512
_LARGEST_NAME = 1 << 16
_BLOCKS_TO_FIND_A_HEADER = 1 << 17
_ZEROS = bytes(BLOCK)

Report = Callable[[str], None]


class Bytes:
    """Forward-only stream that knows its position.

    Args:
        file: anything that can be read.
        seekable: whether it can pass over bytes without reading them.
    """

    def __init__(self, file: Any, seekable: bool = False) -> None:
        self._file = file
        self._seekable = seekable
        self.position = 0

    def read(self, count: int) -> bytes:
        """``count`` bytes, fewer at the end only."""
        parts = []
        while count > 0 and (data := self._file.read(min(count, 1 << 20))):
            parts.append(data)
            count -= len(data)
            self.position += len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes."""
        if self._seekable:
            self._file.seek(count, 1)
            self.position += count
            return
        while count > 0 and (data := self.read(min(count, 1 << 20))):
            count -= len(data)


@dataclass(frozen=True)
class Member:
    """A regular file in an archive: its name, where its headers begin, where its content ends, and its size."""

    name: str
    start: int
    stop: int
    size: int


def members(source: Bytes, report: Report, length: int | None = None, part: bool = False) -> Iterator[Member]:
    """Regular files of an archive; the content of each may be read from ``source`` before the next is asked for.

    After a damaged header the next whole one is looked for, in the next 64 MB.

    Args:
        source: the archive, or a piece that begins at a header.
        report: called once for each damaged place.
        length: bytes in all, where that is known.
        part: the piece may end without an end mark.
    """
    lost, name, start, size = 0, None, None, None
    while True:
        at = source.position
        block = source.read(BLOCK)
        if len(block) < BLOCK and (block or not part):
            report("the archive ends without its end mark: it is truncated")
        if len(block) < BLOCK or (block == _ZEROS and not lost):
            return
        info = _header(block)
        if info is None:
            if not lost:
                report(f"damaged header at byte {at}")
            lost, name, start, size = lost + 1, None, None, None
            if lost > _BLOCKS_TO_FIND_A_HEADER:
                report("no further header is found")
                return
            continue
        lost = 0
        start = at if start is None else start
        if info.type in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE) and info.size <= _LARGEST_NAME:
            data = source.read(_padded(info.size))[: info.size]
            name, size = _extended(info.type, data, name, size)
            continue
        actual = info.size if size is None else size
        content = _padded(actual) if _has_content(info) else 0
        if length is not None and source.position + actual > length:
            report(f"{name or info.name} ends behind the archive: it is truncated")
            return
        end = source.position + content
        if info.type in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE):
            yield Member(name or info.name, start, end, actual)
        source.skip(end - source.position)
        name = start = size = None


@dataclass
class TarSample:
    """Consecutive members with one key.

    Attributes:
        key: name up to the first dot.
        start: first byte of its headers.
        stop: first byte behind its content.
        members: content by type (the rest of the name, such as "png" or "hq.png"); empty where it was not loaded.
    """

    key: str
    start: int
    stop: int
    members: dict[str, bytes] = field(default_factory=dict)


def tar_samples(
    source: Bytes, report: Report, rule: KeyRule, load: bool, length: int | None = None, part: bool = False
) -> Iterator[TarSample]:
    """Samples of an archive; hidden and side files are passed over."""
    current: TarSample | None = None
    for member in members(source, report, length, part):
        if is_side_file(member.name):
            continue
        key, kind = split_key(member.name, rule)
        if rule == "file" and not is_image(kind):
            continue
        if current is not None and (key != current.key or kind in current.members or rule == "file"):
            yield current
            current = None
        if current is None:
            current = TarSample(key, member.start, member.stop)
        current.stop = member.stop
        current.members[kind] = source.read(member.size) if load else b""
    if current is not None:
        yield current


def _header(block: bytes) -> "_Header | tarfile.TarInfo | None":
    """The header, None where its checksum or its size is wrong, or it is of a sparse file."""
    try:
        info = _plain_header(block) or tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError, OverflowError):
        return None
    return info if 0 <= info.size <= MOST_BYTES and info.type != tarfile.GNUTYPE_SPARSE else None


class _Header(NamedTuple):
    """What is needed of :class:`tarfile.TarInfo`."""

    name: str
    size: int
    type: bytes


def _plain_header(block: bytes) -> _Header | None:
    """The header of a regular file with a short name, as nearly all are; a fifth of the time that tarfile takes."""
    if block[156:157] != tarfile.REGTYPE or block[257:262] != b"ustar" or block[345]:
        return None
    if int(block[148:156].rstrip(b" \0"), 8) != 256 + sum(block[:148]) + sum(block[156:]):
        return None
    name = block[:100].partition(b"\0")[0].decode("utf-8", "surrogateescape")
    return _Header(name, int(block[124:136].rstrip(b" \0"), 8), tarfile.REGTYPE)


def _extended(kind: bytes, data: bytes, name: str | None, size: int | None) -> tuple[str | None, int | None]:
    """Name and size that the next header cannot hold: GNU's long name or POSIX records."""
    if kind == tarfile.GNUTYPE_LONGNAME:
        return data.rstrip(b"\0").decode("utf-8", "surrogateescape"), size
    while data:
        digits = data.partition(b" ")[0]
        if not digits.isdigit() or len(digits) > 9 or not len(digits) < int(digits) <= len(data):
            break
        key, _, value = data[len(digits) + 1 : int(digits) - 1].partition(b"=")
        if key == b"path":
            name = value.decode("utf-8", "surrogateescape")
        if key == b"size" and value.isdigit() and len(value) < 12 and int(value) <= MOST_BYTES:
            size = int(value)
        data = data[int(digits) :]
    return name, size


def _has_content(info: _Header | tarfile.TarInfo) -> bool:
    return info.type in tarfile.REGULAR_TYPES or info.type not in tarfile.SUPPORTED_TYPES


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
