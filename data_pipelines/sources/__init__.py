"""Where samples come from: tar shards, folders and lists, local or remote."""

from data_pipelines.sources.locate import locate
from data_pipelines.sources.shard import RawSample, Shard, ShardFault, read_shard

__all__ = ["RawSample", "Shard", "ShardFault", "locate", "read_shard"]
