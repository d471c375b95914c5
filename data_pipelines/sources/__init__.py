"""Where samples come from: tar shards, folders and lists, local or remote."""

from data_pipelines.sources.fetch import SourceError
from data_pipelines.sources.locate import locate
from data_pipelines.sources.shard import RawSample, Shard
from data_pipelines.sources.source import Source, find_source

__all__ = ["RawSample", "Shard", "Source", "SourceError", "find_source", "locate"]
