"""Local cache of samples from web servers and object stores, of bounded size."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data_pipelines.safety.places import is_remote
from data_pipelines.sources import Source
from data_pipelines.sources.kept import Kept
from data_pipelines.sources.shard import Shard, TarShard

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LocalCache:
    """Bounded cache of the samples of remote archives that have an index.

    Args:
        folder: on a disk of this machine; null keeps nothing. What other data have left there is not counted.
        gigabytes: 10^9 bytes that the folder may hold; where the data are larger, a fixed share of the samples is kept.
    """

    folder: str | None = None
    gigabytes: float = 100.0

    def __post_init__(self) -> None:
        if not self.gigabytes > 0:
            raise ValueError(f"gigabytes of the cache must be above 0, not {self.gigabytes}.")

    def around(self, sources: Sequence[Source]) -> tuple[Source, ...]:
        """The same sources, with remote samples cached."""
        total = sum(_remote_bytes(shard) for source in sources for shard in source.shards)
        if self.folder is None or not total:
            return tuple(sources)
        kept = Kept(Path(self.folder).expanduser(), min(1.0, self.gigabytes * 1e9 / total))
        log.info(
            "%.0f %% of %.1f GB of remote samples are kept in %s.", 100 * kept.share, total / 1e9, kept.folder
        )
        return tuple(
            replace(source, shards=tuple(_keeping(shard, kept) for shard in source.shards))
            for source in sources
        )


def _remote_bytes(shard: Shard) -> int:
    return int(shard.places[-1, 1]) if isinstance(shard, TarShard) and is_remote(shard.url) else 0


def _keeping(shard: Shard, kept: Kept) -> Shard:
    return replace(shard, kept=kept) if isinstance(shard, TarShard) and is_remote(shard.url) else shard
