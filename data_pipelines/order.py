"""The order of samples, a stateless function of (seed, position).

Position p of the training data decides which source, which of its samples and which crop are seen; ranks, workers
and batches only divide the positions among themselves.
"""

import bisect
import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

_MASK = (1 << 64) - 1
_ROUNDS = 8


def hashed(*values: int) -> int:
    """64 bits that depend on all values: the finaliser of SplitMix64, chained."""
    state = 0x9E3779B97F4A7C15
    for value in values:
        state = _chained(state, value)
    return state


def _chained(state: int, value: int) -> int:
    state = (state + (value & _MASK) * 0xD1342543DE82EF95 + 0x9E3779B97F4A7C15) & _MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return state ^ (state >> 31)


def uniform(count: int, *key: int) -> list[float]:
    """``count`` numbers in [0, 1) that belong to ``key``."""
    start = hashed(hashed(*key))
    return [(_chained(start, i) >> 11) / (1 << 53) for i in range(count)]


def permuted(index: int, length: int, key: int) -> int:
    """Where ``index`` goes in the permutation of range(``length``) that belongs to ``key``.

    A Feistel network over a x b >= length (Black and Rogaway 2002, generalised) with cycle walking: a bijection, of
    which nothing is stored.
    """
    a = math.isqrt(length - 1) + 1
    b = -(-length // a)
    rounds = _round_keys(key)
    while True:
        left, right = divmod(index, b)
        for number in range(0, _ROUNDS, 2):
            left = (left + _chained(rounds[number], right)) % a
            right = (right + _chained(rounds[number + 1], left)) % b
        index = left * b + right
        if index < length:
            return index


@lru_cache(maxsize=64)
def _round_keys(key: int) -> list[int]:
    return [hashed(key, number) for number in range(_ROUNDS)]


class Mixture:
    """Exact interleaving of sources by weight: of the first p positions each has its share, within one per source.

    Args:
        weights: one for each source, above 0.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        exact = [Fraction(str(weight)) for weight in weights]
        self._shares = [weight / sum(exact[i:]) for i, weight in enumerate(exact)]

    def at(self, position: int) -> tuple[int, int]:
        """Source at ``position``, and how many positions before it have the same source."""
        rest = position
        for source, share in enumerate(self._shares):
            before = _part(rest, share)
            if _part(rest + 1, share) > before:
                return source, before
            rest -= before
        raise AssertionError("the last share is 1")

    def taken(self, position: int) -> list[int]:
        """How many of the positions before ``position`` each source has."""
        counts, rest = [], position
        for share in self._shares:
            counts.append(_part(rest, share))
            rest -= counts[-1]
        return counts


def _part(count: int, share: Fraction) -> int:
    return (2 * count * share.numerator + share.denominator) // (2 * share.denominator)


class PassOrder:
    """Order of the samples of one source in one pass.

    Args:
        counts: samples of each of its shards.
        shuffle: whether they are shuffled; else they come as they are.
        block: shuffle within blocks of this many samples of shards in random order; 0 shuffles the whole source.
        key: decides the permutations.
    """

    def __init__(self, counts: Sequence[int], shuffle: bool, block: int, key: int) -> None:
        self.total = sum(counts)
        self.shuffle = shuffle
        self.block = block if shuffle and 0 < block < self.total else 0
        self.key = key
        if self.block:
            order = [permuted(i, len(counts), hashed(key, 1)) for i in range(len(counts))]
            starts = [0]
            for count in counts:
                starts.append(starts[-1] + count)
            self._first = [starts[shard] for shard in order]
            self._ends: list[int] = []
            for shard in order:
                self._ends.append((self._ends[-1] if self._ends else 0) + counts[shard])

    def __getitem__(self, place: int) -> int:
        """Number of the sample that comes at ``place`` of the pass."""
        if not self.shuffle:
            return place
        if not self.block:
            return permuted(place, self.total, self.key)
        first = place - place % self.block
        size = min(self.block, self.total - first)
        mixed = first + permuted(place - first, size, hashed(self.key, 2, first))
        shard = bisect.bisect_right(self._ends, mixed)
        return self._first[shard] + mixed - (self._ends[shard - 1] if shard else 0)
