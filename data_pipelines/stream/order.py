"""The one order in which all ranks and workers together read a source.

Every pass over the shards is a permutation of them; the passes follow each other without end. A position in
this order is an *ordinal*; reader ``g`` of ``G`` takes every ``G``-th ordinal that is left. So each shard is
read exactly once per pass, whatever the number of readers, and nobody waits for anybody.

With fewer shards than readers each shard is dealt out in ``parts``: part ``p`` is every ``parts``-th sample.
"""

import bisect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Seen:
    """Samples of one partly read ordinal that are not to be given again, as numbers within the shard.

    Attributes:
        before: every number below this.
        also: and these.
    """

    before: int = 0
    also: frozenset[int] = frozenset()

    def __contains__(self, number: int) -> bool:
        return number < self.before or number in self.also


@dataclass(frozen=True)
class Order:
    """Endless order of (shard, part), less what was read before.

    Attributes:
        shards: number of shards.
        parts: number of parts of each.
        seed: decides the permutations.
        base: every ordinal below it was read.
        done: ordinals from ``base`` on that were read too, ascending.
        seen: partly read ordinals.
    """

    shards: int
    parts: int
    seed: tuple[int, ...]
    base: int = 0
    done: tuple[int, ...] = ()
    seen: Mapping[int, Seen] = field(default_factory=dict)

    def ordinal(self, reader: int, readers: int, item: int) -> int:
        """Ordinal of the ``item``-th thing that this reader reads."""
        rank = reader + item * readers  # among the ordinals that are left
        ordinal = self.base + rank
        while (passed := self.base + rank + bisect.bisect_right(self.done, ordinal)) != ordinal:
            ordinal = passed
        return ordinal

    def place(self, ordinal: int) -> tuple[int, int]:
        """Shard and part of an ordinal."""
        lap, position = divmod(ordinal, self.shards * self.parts)
        shard, part = divmod(
            int(_permutation(self.shards * self.parts, self.seed, lap)[position]), self.parts
        )
        return shard, part


@lru_cache(maxsize=8)
def _permutation(length: int, seed: tuple[int, ...], lap: int) -> NDArray[np.int64]:
    return np.random.default_rng([*seed, lap]).permutation(length)
