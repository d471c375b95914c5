"""Countable parts of a source: an archive with the place of each of its samples, or the files of a folder."""

import io
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from data_pipelines.failures import Reason
from data_pipelines.safety.index import crc32
from data_pipelines.safety.places import local_place
from data_pipelines.sources.fetch import SourceError, read_range
from data_pipelines.sources.fields import KeyRule, is_image, suffix_of
from data_pipelines.sources.kept import Kept
from data_pipelines.sources.tar import Bytes, TarSample, tar_samples
from vosr.core.files.regular import open_regular, read_regular
from vosr.core.files.shown import reason

Kinds = tuple[str, ...]
_KINDS_AT_MOST = 8


@dataclass(frozen=True)
class RawSample:
    """Members of one sample, still encoded.

    Attributes:
        key: name within the data set.
        members: bytes by type ("png", "hq.png", "json" ...).
    """

    key: str
    members: dict[str, bytes]


class Shard(ABC):
    """Samples that can be counted and read by number.

    Attributes:
        url: path or URL of the archive, or the folder of the files.
        kinds: which image types the samples have, with the number of such samples and the key of one.
    """

    url: str
    kinds: dict[Kinds, tuple[int, str]]

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples."""

    @abstractmethod
    def read(self, number: int) -> RawSample:
        """Sample ``number``.

        Raises:
            SourceError: it cannot be had.
        """

    @abstractmethod
    def identity(self) -> str:
        """What sets it apart from other shards, wherever it lies."""


@dataclass(frozen=True)
class TarShard(Shard):
    """A tar archive.

    Attributes:
        url: its path or URL.
        places: first byte of each sample and first byte behind it, (n, 2).
        kinds: as in :class:`Shard`.
        rule: what forms a sample.
        damage: what is wrong with it, as far as the index knows.
        checks: CRC-32 of the bytes of each sample, where an index has them.
        sha256: of the whole archive, where an index has it.
        kept: samples of a remote archive that are kept on this machine.
    """

    url: str
    places: NDArray[np.int64]
    kinds: dict[Kinds, tuple[int, str]]
    rule: KeyRule = "sample"
    damage: tuple[str, ...] = ()
    checks: NDArray[np.uint32] | None = None
    sha256: str = ""
    kept: Kept | None = None

    def __len__(self) -> int:
        return len(self.places)

    def read(self, number: int) -> RawSample:
        start, stop = self.places[number].tolist()
        problems: list[str] = []
        check = None if self.checks is None else int(self.checks[number])
        read = (
            read_range(self.url, start, stop)
            if self.kept is None
            else self.kept.read(self.url, start, stop, check)
        )
        if check not in (None, crc32(read)):
            problems.append("its checksum is not the one of the index")
        found = list(tar_samples(Bytes(io.BytesIO(read)), problems.append, self.rule, load=True, part=True))
        if problems or len(found) != 1:
            what = "; ".join(problems) or f"{len(found)} samples where the index has one"
            raise SourceError(Reason.SHARD_DAMAGED, self.url, f"{self.url}, bytes {start} to {stop}: {what}")
        return RawSample(f"{shard_name(self.url)}/{found[0].key}", found[0].members)

    def identity(self) -> str:
        return f"{shard_name(self.url)} {len(self)}"


class Names:
    """Many strings in one block of memory, so that processes share it.

    Args:
        names: the strings.
    """

    def __init__(self, names: Iterable[str]) -> None:
        encoded = [name.encode("utf-8", "surrogateescape") for name in names]
        self._ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
        self._text = np.frombuffer(b"".join(encoded), np.uint8)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> str:
        start = int(self._ends[number - 1]) if number else 0
        return self._text[start : int(self._ends[number])].tobytes().decode("utf-8", "surrogateescape")


class FileShard(Shard):
    """Image files, alone or with degraded partners.

    Args:
        folder: common folder.
        names: files relative to it.
        partner: folder of the degraded files.
        partners: files relative to ``partner``, one for each of ``names``; their types begin with "lq.".
    """

    def __init__(
        self, folder: str, names: list[str], partner: str | None = None, partners: Iterable[str] = ()
    ) -> None:
        self.url = folder
        self.partner = partner
        self._names = Names(names)
        self._partners = Names(partners)
        kind = names[0] if names else ""
        self.kinds = {_image_kinds(self._kinds(kind, kind)): (len(names), kind)} if names else {}

    def __len__(self) -> int:
        return len(self._names)

    def name(self, number: int) -> str:
        """File ``number``, relative to the folder."""
        return self._names[number]

    def read(self, number: int) -> RawSample:
        name = self._names[number]
        members = {suffix_of(name): _contents(Path(self.url, name), name)}
        if self.partner is not None:
            low = self._partners[number]
            members[f"lq.{suffix_of(low)}"] = _contents(Path(self.partner, low), name)
        return RawSample(name, members)

    def identity(self) -> str:
        return "\n".join(self._names[i] for i in range(len(self)))

    def _kinds(self, name: str, low: str) -> list[str]:
        return [suffix_of(name)] + ([f"lq.{suffix_of(low)}"] if self.partner is not None else [])


@dataclass
class KindCount:
    """Counts which image types samples have, as they are listed."""

    found: dict[Kinds, tuple[int, str]] = field(default_factory=dict)

    def add(self, sample: TarSample) -> None:
        """Count one sample."""
        kinds = _image_kinds(sample.members)
        count, example = self.found.get(kinds, (0, sample.key))
        self.found[kinds] = count + 1, example


def scan(path: Path, rule: KeyRule) -> TarShard:
    """Find the samples of a local archive, by its headers.

    Raises:
        OSError: it cannot be opened.
    """
    places, kinds, damage = [], KindCount(), Counter[str]()
    with open_regular(path) as file:
        length = path.stat().st_size
        for sample in tar_samples(
            Bytes(file, seekable=True), lambda what: damage.update([what]), rule, False, length
        ):
            places.append((sample.start, sample.stop))
            kinds.add(sample)
    table = np.array(places, np.int64).reshape(-1, 2)
    return TarShard(local_place(path), table, kinds.found, rule, tuple(damage)[:_KINDS_AT_MOST])


@lru_cache(maxsize=4096)
def shard_name(url: str) -> str:
    """Short name for keys: the archive's, up to the first dot."""
    return PurePosixPath(url.split("?")[0].rstrip(" '\"")).name.split(".")[0]


def _image_kinds(kinds: Iterable[str]) -> Kinds:
    """Image types of one sample; a single type that says nothing counts as any other."""
    images = sorted(kind for kind in kinds if is_image(kind))
    if len(images) == 1 and "." in images[0] and not images[0].startswith(("hq.", "gt.", "lq.")):
        return (images[0],) if len(images[0]) < 16 else (f"*.{suffix_of(images[0])}",)
    return tuple(images)


def _contents(path: Path, key: str) -> bytes:
    try:
        return read_regular(path)
    except (OSError, ValueError) as error:  # the latter: a name that no file can have
        raise SourceError(Reason.UNREADABLE_FILE, key, reason(error)) from error
