"""Enumerates what is to be packed, in an order that depends on names and seed only."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_pipelines.sources import Shard, ShardFault, locate, read_shard
from data_pipelines.sources.shard import split_key, suffix_of


@dataclass(frozen=True)
class Input:
    """One picture to be packed.

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


def enumerate_inputs(sources: list[str], shuffle_seed: int | None) -> Iterator[Input]:
    """All pictures of the sources: files shuffled, archives shuffled among them and read from first to last.

    Raises:
        ValueError: a source is not there.
    """
    items: list[Shard] = []
    for source in sources:
        for shard in locate(source):
            items += [Shard(shard.url, 1, (name,)) for name in shard.files] if shard.files else [shard]
    order = np.arange(len(items))
    if shuffle_seed is not None:
        order = np.random.default_rng(shuffle_seed).permutation(len(items))
    for position in order:
        yield from _inputs(items[position])


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
