"""A shard: a tar archive in the WebDataset convention, or a handful of image files that act as one."""

import contextlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path, PurePosixPath

from data_pipelines.failures import Reason
from data_pipelines.safety.index import check_archive, check_count
from data_pipelines.safety.places import is_remote
from data_pipelines.sources.archive import Archive
from vosr.core.files.regular import read_regular
from vosr.core.files.shown import reason

IMAGE_SUFFIXES = ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "avif", "jp2", "gif", "ppm")
"""File types taken for images, in the order in which a sample's members are preferred."""


@dataclass(frozen=True)
class Shard:
    """Some samples that are read one after the other.

    Attributes:
        url: path or URL of the tar archive; for plain files, their common folder.
        samples: how many there are, None where nobody counted.
        files: image files relative to ``url``; empty for an archive.
        promised: size and SHA-256 by the index; compared when this process first reads the archive.
    """

    url: str
    samples: int | None = None
    files: tuple[str, ...] = ()
    promised: tuple[int, str] | None = field(default=None, compare=False)

    @cached_property
    def name(self) -> str:
        """Short name for keys and messages: stem of the archive; nothing for plain files."""
        return "" if self.files else PurePosixPath(self.url.split("?")[0].rstrip(" '\"")).name.split(".")[0]


@dataclass(frozen=True)
class RawSample:
    """Members of one sample, still encoded.

    Attributes:
        key: name within the data set, unique.
        members: bytes by file type ("jpg", "json" ...).
        problem: why there is no image, where there is none.
    """

    key: str
    members: dict[str, bytes]
    problem: Reason | None = None

    @property
    def image(self) -> tuple[str, bytes] | None:
        """File type and bytes of the image."""
        return next(((kind, self.members[kind]) for kind in IMAGE_SUFFIXES if kind in self.members), None)


class ShardFault(OSError):
    """A shard cannot be read, or not to its end."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def read_shard(shard: Shard, wanted: range | None = None) -> Iterator[tuple[int, RawSample]]:
    """Samples of a shard with their number within it.

    Args:
        shard: what to read.
        wanted: numbers to give, all by default; the rest is passed over, without reading where that is
            possible.

    Raises:
        ShardFault: missing, truncated or unreachable; what could be read has been given before.
    """
    if shard.files:
        yield from _read_files(shard, wanted)
    else:
        yield from _read_archive(shard, wanted)


def count_samples(shard: Shard) -> int:
    """Number of samples in a local archive, by its headers; what cannot be read counts as absent."""
    keys, last = 0, None
    with contextlib.suppress(OSError, tarfile.TarError, ValueError, EOFError), Archive(shard.url) as archive:
        for member in archive:
            key, _ = split_key(member.name)
            keys, last = keys + (key != last), key
    return keys


def _read_files(shard: Shard, wanted: range | None) -> Iterator[tuple[int, RawSample]]:
    for number in wanted if wanted is not None else range(len(shard.files)):
        if number >= len(shard.files):
            return
        name = PurePosixPath(shard.files[number])
        key = str(name)
        try:
            yield number, RawSample(key, {suffix_of(key): read_regular(Path(shard.url, name))})
        except (OSError, ValueError):  # the latter: a name that no file can have
            yield number, RawSample(key, {}, Reason.UNREADABLE_FILE)


def _read_archive(shard: Shard, wanted: range | None) -> Iterator[tuple[int, RawSample]]:
    try:
        if shard.promised is not None and not is_remote(shard.url):
            _check_once(shard.url, *shard.promised)
        with Archive(shard.url) as archive:
            yield from _grouped(shard, archive, wanted)
    except FileNotFoundError as error:
        raise ShardFault(Reason.SHARD_MISSING, f"{shard.url} is not there") from error
    except (tarfile.TarError, ValueError) as error:
        raise ShardFault(Reason.SHARD_DAMAGED, f"{shard.url}: {error}") from error
    except OSError as error:
        raise ShardFault(Reason.SHARD_UNREACHABLE, str(error)) from error
    except Exception as error:  # whatever a damaged archive makes of a decompressor
        raise ShardFault(Reason.SHARD_DAMAGED, f"{shard.url}: {reason(error)}") from error


@cache
def _check_once(url: str, size: int, sha256: str) -> None:
    check_archive(url, size, sha256)


def _grouped(shard: Shard, archive: Archive, wanted: range | None) -> Iterator[tuple[int, RawSample]]:
    """Collect consecutive members with one key into samples."""
    number, last, members = -1, None, dict[str, bytes]()
    for member in archive:
        key, kind = split_key(member.name)
        if key != last:
            if members and last is not None:
                yield number, _sample(shard, last, members)
            number, last, members = number + 1, key, {}
            if wanted is not None and number >= wanted.stop:
                return
        if wanted is None or number in wanted:
            members[kind] = archive.read(member)
    if members and last is not None:
        yield number, _sample(shard, last, members)
    check_count(number + 1, shard.samples)


def _sample(shard: Shard, key: str, members: dict[str, bytes]) -> RawSample:
    sample = RawSample(f"{shard.name}/{key}", members)
    return sample if sample.image else RawSample(sample.key, members, Reason.NO_IMAGE)


def split_key(name: str) -> tuple[str, str]:
    """WebDataset's convention: the key ends at the first dot of the file name, the rest is the type.

    A type of several parts counts by its last: ``0001.hq.png`` is the ``png`` of sample ``0001``.
    """
    folder, slash, base = name.rpartition("/")
    stem, _, suffix = base.partition(".")
    return folder + slash + stem, suffix.lower().rpartition(".")[2]


def suffix_of(name: str) -> str:
    """Lower-case file type of a path."""
    return PurePosixPath(name).suffix[1:].lower()
