"""One reader's endless tape of raw samples from one source."""

import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

from data_pipelines.failures import BadDataError, Fault
from data_pipelines.sources import RawSample, ShardFault, read_shard
from data_pipelines.stream.plan import SourcePlan

SHARDS_WITHOUT_SAMPLES = 20
"""Faulty shards in a row after which a reader gives up."""


class Mark(NamedTuple):
    """Place on a tape: the ``item``-th shard of this reader, and the number of the sample within it."""

    item: int
    number: int


def tape(
    source: SourcePlan, reader: int, readers: int, start: Mark, report: Callable[[Fault], None]
) -> Iterator[tuple[Mark, RawSample]]:
    """Samples from ``start`` on, for ever.

    Args:
        source: what to read.
        reader: number of this reader among ``readers``.
        readers: readers of all ranks.
        start: where to begin.
        report: told of shards that cannot be read.

    Raises:
        BadDataError: shard after shard gives nothing.
    """
    item, first, fruitless, faults = start.item, start.number, 0, 0
    while True:
        ordinal = source.order.ordinal(reader, readers, item)
        number, part = source.order.place(ordinal)
        shard, parts, seen = source.shards[number], source.order.parts, source.order.seen.get(ordinal, ())
        first += (part - first) % parts
        given = 0
        try:
            for index, sample in read_shard(shard, range(first, sys.maxsize, parts)):
                given += 1
                if index not in seen:
                    yield Mark(item, index), sample
        except ShardFault as fault:
            faults += 1
            report(Fault(fault.reason, shard.url, str(fault), _lost(shard.samples, first, parts, given)))
        fruitless, faults = (0, 0) if given else (fruitless + 1, faults)
        if faults >= SHARDS_WITHOUT_SAMPLES or fruitless > 2 * len(source.shards) * parts + 100:
            raise BadDataError(
                f"{source.name}: {fruitless} shards in a row without a sample, {shard.url} the last."
            )
        item, first = item + 1, 0


def _lost(samples: int | None, first: int, parts: int, given: int) -> int:
    return 1 if samples is None else max(1, len(range(first, samples, parts)) - given)
