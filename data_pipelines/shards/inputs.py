"""Enumerates what is to be packed, in an order that depends on names and seed only."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_pipelines.failures import Fault, Reason
from data_pipelines.sources import Shard, SourceError, locate
from data_pipelines.sources.fields import Fields, KeyRule, suffix_of
from data_pipelines.sources.shard import FileShard, TarShard
from data_pipelines.sources.source import look_at_members
from data_pipelines.sources.stream import stream_samples
from vosr.core.files.regular import read_regular

Item = tuple[Shard | str, int | None]
"""A shard and the number of a file in it, or None for all samples of an archive; or the URL of a stream."""


@dataclass(frozen=True)
class Input:
    """One sample to be packed.

    Attributes:
        name: where it is from, for the list of what was left out.
        key: its name in a shard.
        path: file that holds it; None where the bytes are at hand.
        members: encoded members by type, of a sample from an archive.
        problem: why it cannot be read, where that is known already.
    """

    name: str
    key: str = ""
    path: Path | None = None
    members: dict[str, bytes] | None = None
    problem: str = ""

    def load(self) -> dict[str, bytes]:
        """Members by type, from memory or disk.

        Raises:
            OSError: the file cannot be read.
        """
        if self.path is None:
            return self.members or {}
        return {suffix_of(self.path.name): read_regular(self.path)}


def find_items(sources: list[str], shuffle_seed: int | None, fields: Fields, rule: KeyRule) -> list[Item]:
    """Files, archives and streams of the sources, all shuffled together.

    Raises:
        ValueError: a source is not there, or no rule says which of a sample's images is meant.
    """
    items: list[Item] = []
    for source in sources:
        found = locate(source, rule)
        look_at_members(source, found.shards, fields)
        for shard in found.shards:
            items += (
                [(shard, i) for i in range(len(shard))] if isinstance(shard, FileShard) else [(shard, None)]
            )
        items += [(url, None) for url in found.streams]
    if shuffle_seed is None:
        return items
    return [items[i] for i in np.random.default_rng(shuffle_seed).permutation(len(items))]


def known_total(items: list[Item]) -> int | None:
    """Number of inputs, None where an archive is of unknown length."""
    if any(isinstance(shard, str) for shard, _ in items):
        return None
    return sum(_count(shard, number) for shard, number in items if not isinstance(shard, str))


def _count(shard: Shard, number: int | None) -> int:
    if number is not None:
        return 1
    return len(shard) + (isinstance(shard, TarShard) and bool(shard.damage))


def inputs_of(items: list[Item], rule: KeyRule) -> Iterator[Input]:
    """Every sample; archives are read from first to last."""
    for shard, number in items:
        if isinstance(shard, str):
            yield from _streamed(shard, rule)
        elif isinstance(shard, FileShard) and number is not None:
            path = Path(shard.url, shard.name(number))
            yield Input(str(path), path.stem, path)
        else:
            for each in range(len(shard)):
                yield _read(shard, each)
            if isinstance(shard, TarShard) and shard.damage:
                yield Input(shard.url, problem=Reason.SHARD_DAMAGED.value)


def _read(shard: Shard, number: int) -> Input:
    try:
        sample = shard.read(number)
    except SourceError as error:
        return Input(f"{shard.url}, sample {number}", problem=error.reason.value)
    except Exception:  # whatever a damaged archive makes of a library
        return Input(f"{shard.url}, sample {number}", problem=Reason.SHARD_DAMAGED.value)
    return Input(sample.key, sample.key.rpartition("/")[2], members=sample.members)


def _streamed(url: str, rule: KeyRule) -> Iterator[Input]:
    faults: list[Fault] = []
    for sample in stream_samples(url, rule, faults.append):
        yield Input(sample.key, sample.key.rpartition("/")[2], members=sample.members)
    for fault in faults:
        yield Input(url, problem=fault.reason.value)
