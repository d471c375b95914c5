"""Enumerates what is to be packed, in an order that depends on names and seed only."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_pipelines.sources import Shard, ShardFault, locate, read_shard
from data_pipelines.sources.shard import split_key, suffix_of


@dataclass(frozen=True)
class Input:
    """One image to be packed.

    Attributes:
        name: key within its source.
        path: file that holds it; None where the bytes are at hand.
        members: encoded members by type, of a sample from an archive.
        problem: why it cannot be read, where that is known already.
    """

    name: str
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
        return {suffix_of(self.path.name): self.path.read_bytes()}


def find_items(sources: list[str], shuffle_seed: int | None) -> list[Shard]:
    """Files (as shards of one) and archives of the sources, all shuffled together.

    Raises:
        ValueError: a source is not there.
    """
    items: list[Shard] = []
    for source in sources:
        for shard in locate(source):
            items += [Shard(shard.url, 1, (name,)) for name in shard.files] if shard.files else [shard]
    if shuffle_seed is None:
        return items
    return [items[i] for i in np.random.default_rng(shuffle_seed).permutation(len(items))]


def known_total(items: list[Shard]) -> int | None:
    """Number of inputs, None where an archive is of unknown length."""
    counts = [item.samples for item in items]
    return None if None in counts else sum(count for count in counts if count is not None)


def inputs_of(items: list[Shard]) -> Iterator[Input]:
    """Every image; archives are read from first to last."""
    for item in items:
        yield from _inputs(item)


def _inputs(shard: Shard) -> Iterator[Input]:
    if shard.files:
        yield Input(split_key(shard.files[0])[0], path=Path(shard.url, shard.files[0]))
        return
    try:
        for _, sample in read_shard(shard):
            yield Input(
                sample.key, members=sample.members, problem=sample.problem.value if sample.problem else ""
            )
    except ShardFault as fault:
        yield Input(shard.url, problem=fault.reason.value)
