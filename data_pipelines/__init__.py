"""Data: from folders, tar shards or a procedural generator to batches of :class:`vosr.types.Batch`."""

from data_pipelines.datamodule import ShardDataModule
from data_pipelines.photographs import RealPhotographs
from data_pipelines.pictures import Picture, PictureSet
from data_pipelines.synthetic import SyntheticData

__all__ = ["Picture", "PictureSet", "RealPhotographs", "ShardDataModule", "SyntheticData"]
