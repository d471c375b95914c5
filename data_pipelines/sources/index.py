"""The index beside shards (``index.json``), and the cache of what was found in archives without one."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from data_pipelines.safety.index import checksum, crc32, note_of
from data_pipelines.safety.places import local_place
from data_pipelines.sources.fields import KeyRule
from data_pipelines.sources.shard import TarShard, scan
from data_pipelines.sources.tar import BLOCK
from vosr.core.files.atomic import write_atomically
from vosr.core.files.shown import reason

log = logging.getLogger(__name__)

INDEX_NAME = "index.json"
_FORMAT = "vosr-shards-1"
_SCANNED_SILENTLY = 8


@dataclass(frozen=True)
class IndexEntry:
    """One shard.

    Attributes:
        name: file name of the archive, beside the index.
        samples: number of samples.
        bytes: size of the archive.
        sha256: checksum of the archive, which a run compares once, beside the training.
        pixels: pixels of all its images, 0 where they were not looked at.
        blocks: length of each sample in blocks of 512 bytes, from the beginning of the archive on; None in an index
            of version 0.1.
        crc32: checksum of each sample, which every reading compares.
        kinds: as :class:`data_pipelines.sources.shard.Shard` has them.
    """

    name: str
    samples: int
    bytes: int
    sha256: str
    pixels: int = 0
    blocks: Sequence[int] | None = None
    crc32: Sequence[int] | None = None
    kinds: Sequence[tuple[Sequence[str], int, str]] = ()

    def __post_init__(self) -> None:
        lists = [each for each in (self.blocks, self.crc32) if each is not None]
        if self.samples < 0 or any(len(each) != self.samples for each in lists):
            raise ValueError(f"{self.name} has {self.samples} samples")
        if self.blocks is not None and (
            min(self.blocks, default=1) < 1 or sum(self.blocks) * BLOCK > self.bytes
        ):
            raise ValueError(f"the samples of {self.name} end behind it")

    def shard(self, url: str) -> TarShard:
        """The archive at ``url``; the index has to have ``blocks``."""
        ends = np.cumsum([0, *(self.blocks or ())], dtype=np.int64) * BLOCK
        kinds = {tuple(kinds): (count, example) for kinds, count, example in self.kinds}
        checks = None if self.crc32 is None else np.array(self.crc32, np.uint32)
        places = np.stack([ends[:-1], ends[1:]], axis=1)
        return TarShard(url, places, kinds, checks=checks, sha256=self.sha256)


def entry_of(path: Path, pixels: int = 0) -> IndexEntry:
    """Index entry of an archive that was just written."""
    shard = scan(path, "sample")
    checks = []
    with path.open("rb") as file:
        digest = checksum(file)
        for start, stop in shard.places.tolist():
            file.seek(start)
            checks.append(crc32(file.read(stop - start)))
    lengths = (np.diff(shard.places, axis=1)[:, 0] // BLOCK).tolist()
    kinds = [(list(kinds), count, example) for kinds, (count, example) in shard.kinds.items()]
    return IndexEntry(path.name, len(shard), path.stat().st_size, digest, pixels, lengths, checks, kinds)


def read_index(text: str, where: str) -> list[IndexEntry]:
    """Entries of an index file.

    Raises:
        ValueError: it is not one of ours.
    """
    try:
        content = json.loads(text)
        if content["format"] != _FORMAT:
            raise ValueError(content["format"])
        return [IndexEntry(**entry) for entry in content["shards"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(
            f"{where} is no {_FORMAT!r} index ({error}); delete it, or write the shards again."
        ) from error


def write_index(folder: Path, entries: list[IndexEntry], **more: object) -> Path:
    """Write the index of the shards in ``folder``, with totals and whatever else is to be remembered."""
    content = {
        "format": _FORMAT,
        "samples": sum(entry.samples for entry in entries),
        "bytes": sum(entry.bytes for entry in entries),
        **more,
        "shards": [asdict(entry) for entry in entries],
    }
    path = folder / INDEX_NAME
    text = json.dumps(content) + "\n"
    write_atomically(path, lambda unfinished: unfinished.write_text(text))
    return path


def scanned(paths: list[Path], rule: KeyRule) -> list[TarShard]:
    """Local archives with the places of their samples, from the cache where they have not changed.

    One that cannot be read has no samples, and says why in its ``damage``.
    """
    found = {path: _cached(path, rule) for path in paths}
    new = [path for path, shard in found.items() if shard is None]
    if len(new) > _SCANNED_SILENTLY:
        log.info(
            "Looking for samples in %d archives (once; `shards` writes archives with an index).", len(new)
        )
    for path in track(new, "Indexing archives", disable=len(new) <= _SCANNED_SILENTLY):
        try:
            file = note_of(
                path, f"places {rule}", ".npz"
            )  # before it is read: another may take its place meanwhile
            found[path] = scan(path, rule)
        except OSError as error:  # one archive must not end the rest: it counts as damaged, without samples
            nowhere = np.empty((0, 2), np.int64)
            found[path] = TarShard(local_place(path), nowhere, {}, rule, (reason(error),))
        else:
            _keep(file, found[path])
    return [shard for shard in found.values() if shard is not None]


def _cached(path: Path, rule: KeyRule) -> TarShard | None:
    try:
        with np.load(note_of(path, f"places {rule}", ".npz"), allow_pickle=False) as stored:
            rest = json.loads(str(stored["rest"]))
            places: NDArray[np.int64] = stored["places"]
    except (OSError, ValueError, KeyError, BadZipFile):
        return None
    kinds = {tuple(kinds): (count, example) for kinds, count, example in rest["kinds"]}
    return TarShard(local_place(path), places, kinds, rule, tuple(rest["damage"]))


def _keep(file: Path, shard: TarShard | None) -> None:
    if shard is None:
        return
    rest = {
        "kinds": [(k, count, example) for k, (count, example) in shard.kinds.items()],
        "damage": shard.damage,
    }

    def write(unfinished: Path) -> None:
        with unfinished.open("wb") as stream:
            np.savez(stream, places=shard.places, rest=np.array(json.dumps(rest)))

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, write)
    except OSError as error:
        log.debug("The index of %s is not kept: %s", shard.url, error)
