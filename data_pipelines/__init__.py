"""Data: from folders, tar shards or a procedural generator to batches of :class:`vosr.core.types.Batch`."""

from data_pipelines.crop import Augmentation
from data_pipelines.datamodule import ShardDataModule
from data_pipelines.failures import BadDataError
from data_pipelines.folders import ImageFolder, PairedFolders
from data_pipelines.health import DataHealth
from data_pipelines.images import ImageSet, Sample
from data_pipelines.photographs import RealPhotographs
from data_pipelines.synthetic import SyntheticData

__all__ = [
    "Augmentation",
    "BadDataError",
    "DataHealth",
    "ImageFolder",
    "ImageSet",
    "PairedFolders",
    "RealPhotographs",
    "Sample",
    "ShardDataModule",
    "SyntheticData",
]
