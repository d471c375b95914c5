"""Writing shards: from folders, lists and other shards to WebDataset archives with an index and a report."""

from data_pipelines.shards.write import write_shards

__all__ = ["write_shards"]
