"""From source names to a plan: find the shards, count them, weigh them, and say how long an epoch is."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from data_pipelines.safety.places import is_remote
from data_pipelines.sources import Shard, locate
from data_pipelines.sources.shard import count_samples
from data_pipelines.stream.order import Order
from data_pipelines.stream.plan import Plan, SourcePlan

log = logging.getLogger(__name__)

COUNTED_AT_MOST = 200
"""Local archives without index that are counted, at about 30 ms per 1000 samples; more are of unknown length."""
UNKNOWN_EPOCH = 1000
"""Batches of an epoch where nobody knows the number of images."""

Found = tuple[str, float, list[Shard]]
"""A source's name, weight and shards."""


def find_source(names: Sequence[str], weight: float) -> Found:
    """Shards of one source, counted where that is possible.

    Raises:
        ValueError: nothing is there.
    """
    shards = _counted([shard for name in names for shard in locate(name)])
    title = ", ".join(names)
    if all(shard.samples == 0 for shard in shards):
        raise ValueError(f"The {len(shards)} shards of {title!r} hold no readable sample.")
    return title, weight, shards


def lengths(shards: Sequence[Shard]) -> dict[str, int | None]:
    """Samples by archive or folder; None where nobody counted."""
    counts: dict[str, int | None] = {}
    for shard in shards:
        before = counts.get(shard.url, 0)
        counts[shard.url] = None if before is None or shard.samples is None else before + shard.samples
    return counts


def source_plans(found: Sequence[Found], readers: int, seed: int) -> tuple[SourcePlan, ...]:
    """Plans of the sources, with shards dealt out in parts where there are fewer than readers."""
    plans = []
    for number, (name, weight, shards) in enumerate(found):
        useful = tuple(shard for shard in shards if shard.samples != 0)
        order = Order(len(useful), -(-readers // len(useful)), (seed, number, 2))
        plans.append(SourcePlan(name, weight, useful, order))
    return tuple(plans)


def epoch_length(plan: Plan, wanted: int | None) -> tuple[int, list[str]]:
    """Batches per rank and epoch, and what there is to say about them.

    Args:
        plan: the stream.
        wanted: the user's number; None for one pass over all sources together.
    """
    step = plan.batch_size * plan.ranks
    counts = [source.samples for source in plan.sources]
    total = None if None in counts else sum(count for count in counts if count is not None)
    if wanted is None and total is None:
        unknown = [source.name for source in plan.sources if source.samples is None]
        batches, why = (
            UNKNOWN_EPOCH,
            (
                f"nobody counted {', '.join(unknown)}: write an index with the shards command, or give "
                "--data.batches_per_epoch"
            ),
        )
    else:
        batches, why = wanted or max(1, (total or 0) // step), "given" if wanted else "one pass"
    said = [
        f"An epoch is {batches} batches of {plan.batch_size} on {plan.ranks} ranks: {batches * step} of "
        f"{total if total is not None else 'unknown'} images ({why})."
    ]
    if total is not None and batches * step > total:
        said.append(f"Images repeat within an epoch, {batches * step / total:.1f} times on average.")
    elif total is not None and batches * step < total:
        said.append(f"The other {total - batches * step} come in the next epoch: nothing is dropped.")
    return batches, said + _said_of_sources(plan)


def _said_of_sources(plan: Plan) -> list[str]:
    said = []
    for source in plan.sources:
        missing = sum(1 for shard in source.shards if shard.samples is None)
        text = f"{source.name}: {len(source.shards)} shards for {plan.readers} readers"
        if source.order.parts > 1:
            text += f"; each is read by {source.order.parts} of them, which share its samples out"
        elif len(source.shards) % plan.readers:
            text += "; readers with fewer begin the next pass sooner"
        said.append(text + (f"; {missing} of unknown length" if missing else "") + ".")
    return said


def _counted(shards: list[Shard]) -> list[Shard]:
    open_ones = [s for s in shards if s.samples is None and not is_remote(s.url) and Path(s.url).is_file()]
    if not open_ones or len(open_ones) > COUNTED_AT_MOST:
        return shards
    known = {shard.url: count_samples(shard) for shard in open_ones}
    return [replace(shard, samples=known.get(shard.url, shard.samples)) for shard in shards]
