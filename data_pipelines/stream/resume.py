"""The position of a whole stream as plain values, and its transfer to another number of ranks and workers."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from data_pipelines.stream.order import Order, Seen
from data_pipelines.stream.plan import Plan, SourcePlan
from data_pipelines.stream.reader import ReaderState, window_seed
from data_pipelines.stream.window import Progress, progress


@dataclass(frozen=True)
class Position:
    """Where a stream goes on.

    Attributes:
        plan: plan whose orders leave out what was read on another layout.
        batches: batches that each rank has taken since this layout began.
        readers: state per reader of all ranks; None for one that has given nothing.
        story: what was done to get here, for the log; empty for an exact continuation.
    """

    plan: Plan
    batches: int
    readers: Sequence[ReaderState | None]
    story: tuple[str, ...] = ()


def to_state(plan: Plan, batches: int, readers: Sequence[ReaderState | None]) -> dict[str, Any]:
    """Position as nested lists and dictionaries of numbers and strings."""
    return {
        "batches": batches,
        "ranks": plan.ranks,
        "workers": plan.workers,
        "seed": plan.seed,
        "sources": [_source_state(source) for source in plan.sources],
        "readers": list(readers),
    }


def from_state(plan: Plan, state: dict[str, Any]) -> Position:
    """Position in ``plan`` that continues ``state``, exactly where the layout is the same."""
    old = {source["fingerprint"]: (number, source) for number, source in enumerate(state["sources"])}
    same_sources = [s["fingerprint"] for s in state["sources"]] == [fingerprint(s) for s in plan.sources]
    same_layout = (state["ranks"], state["workers"], state["seed"]) == (plan.ranks, plan.workers, plan.seed)
    if same_sources and same_layout:
        orders = [_order(source, each) for source, each in zip(plan.sources, state["sources"], strict=True)]
        return Position(_with_orders(plan, orders), state["batches"], state["readers"])
    orders, story = [], []
    if not same_layout:
        story.append(
            f"The checkpoint was written by {state['ranks']} ranks with {state['workers']} workers (seed "
            f"{state['seed']}), this run has {plan.ranks} with {plan.workers} (seed {plan.seed})."
        )
    for source in plan.sources:
        if fingerprint(source) not in old:
            story.append(
                f"The shards of {source.name} are not those of the checkpoint: their first pass begins."
            )
            orders.append(source.order)
            continue
        number, each = old[fingerprint(source)]
        order = _remaining(_order(source, each), number, state)
        orders.append(order)
        lap = order.base // (order.shards * order.parts) + 1
        story.append(
            f"{source.name}: pass {lap} goes on with the shards not yet read, and in partly read ones with "
            "the samples not yet seen; nothing is repeated."
        )
    return Position(_with_orders(plan, orders), 0, [None] * plan.readers, tuple(story))


def fingerprint(source: SourcePlan) -> str:
    """Identity of a list of shards: their names and sizes, not the folder that they lie in."""
    text = "\n".join(f"{shard.name} {shard.samples} {' '.join(shard.files)}" for shard in source.shards)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _source_state(source: SourcePlan) -> dict[str, Any]:
    order = source.order
    return {
        "name": source.name,
        "fingerprint": fingerprint(source),
        "parts": order.parts,
        "order_seed": list(order.seed),
        "base": order.base,
        "done": list(order.done),
        "seen": {ordinal: [seen.before, sorted(seen.also)] for ordinal, seen in order.seen.items()},
    }


def _order(source: SourcePlan, state: dict[str, Any]) -> Order:
    return Order(
        shards=len(source.shards),
        parts=state["parts"],
        seed=tuple(state["order_seed"]),
        base=state["base"],
        done=tuple(state["done"]),
        seen={
            int(ordinal): Seen(before, frozenset(also)) for ordinal, (before, also) in state["seen"].items()
        },
    )


def _with_orders(plan: Plan, orders: list[Order]) -> Plan:
    sources = [replace(source, order=order) for source, order in zip(plan.sources, orders, strict=True)]
    return replace(plan, sources=tuple(sources))


def _remaining(order: Order, source: int, state: dict[str, Any]) -> Order:
    """``order`` less what the readers of ``state`` have given of it."""
    readers = state["ranks"] * state["workers"]
    made = [_progress(each, source, reader, state["seed"]) for reader, each in enumerate(state["readers"])]
    done, seen = set(order.done), dict(order.seen)
    for reader, each in enumerate(made):
        finished = {*range(each.finished), *each.also}
        done |= {order.ordinal(reader, readers, item) for item in finished}
        for item, news in each.partly.items():
            ordinal = order.ordinal(reader, readers, item)
            before = seen.get(ordinal, Seen())
            seen[ordinal] = Seen(max(before.before, news.before), before.also | news.also)
    base = order.base
    while base in done:
        base += 1
    left = tuple(sorted(ordinal for ordinal in done if ordinal > base))
    return replace(order, base=base, done=left, seen={o: s for o, s in seen.items() if o not in done})


def _progress(reader: ReaderState | None, source: int, number: int, seed: int) -> Progress:
    window = reader["windows"][source] if reader else None
    return progress(window, window_seed(seed, source, number)) if window else Progress()
