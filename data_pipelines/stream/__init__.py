"""From shards to an endless, restorable stream of training batches, shared out between ranks and workers."""

from data_pipelines.stream.loader import TrainLoader
from data_pipelines.stream.plan import Plan, SourcePlan

__all__ = ["Plan", "SourcePlan", "TrainLoader"]
