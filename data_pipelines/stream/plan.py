"""Everything a reading process needs to know, in one picklable record."""

from dataclasses import dataclass

from data_pipelines.crop import Augmentation
from data_pipelines.sources import Shard
from data_pipelines.stream.order import Order


@dataclass(frozen=True)
class SourcePlan:
    """One of the mixed sources.

    Attributes:
        name: what the user called it.
        weight: share of the samples drawn from it, relative to the other sources.
        shards: its shards.
        order: the order in which they are read.
    """

    name: str
    weight: float
    shards: tuple[Shard, ...]
    order: Order

    @property
    def samples(self) -> int | None:
        """Number of samples, None where some shard was not counted."""
        counts = [shard.samples for shard in self.shards]
        return None if None in counts else sum(count for count in counts if count is not None)


@dataclass(frozen=True)
class Plan:
    """How one training stream is made.

    Attributes:
        sources: what is mixed.
        crop_size: height and width of the crops in pixels.
        batch_size: images per batch.
        shuffle: size of each reader's shuffle window, in samples.
        augmentation: how crops are taken.
        seed: decides orders and crops.
        ranks: number of ranks.
        rank: this rank.
        workers: reading processes per rank, at least 1 (the training process itself counts as one).
    """

    sources: tuple[SourcePlan, ...]
    crop_size: int
    batch_size: int
    shuffle: int
    augmentation: Augmentation
    seed: int
    ranks: int
    rank: int
    workers: int

    @property
    def readers(self) -> int:
        """Reading processes of all ranks together."""
        return self.ranks * self.workers

    def window(self, source: int) -> int:
        """Shuffle window of one source: its share, and no more than a reader's part of a pass."""
        plan = self.sources[source]
        share = plan.weight / sum(each.weight for each in self.sources)
        window = max(1, round(self.shuffle * share))
        return window if plan.samples is None else max(1, min(window, plan.samples // self.readers))
