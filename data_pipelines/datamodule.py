"""The Lightning data module: streams training batches from shards, and walks fixed validation pictures."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import torch.distributed
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from data_pipelines.pictures import PictureSet, collate
from data_pipelines.stream import ShardStream
from data_pipelines.synthetic import SyntheticData
from vosr.types import Batch


class ShardDataModule(LightningDataModule):
    """Training pictures streamed from WebDataset shards, and a fixed validation set.

    Args:
        train: ``synthetic`` (pictures drawn on this machine), or folder or paths of tar shards.
        validation: fixed pictures to validate on; None for no validation.
        crop_size: height and width of the training crops in pixels.
        batch_size: training pictures per rank and step.
        num_workers: reading processes per rank; 0 reads in the training process.
        shuffle: pictures (as compressed bytes) in the shuffle buffer of each reader.
        flips: mirror half of the crops.
        rotations: turn the crops by 0, 90, 180 or 270 degrees.
        seed: another seed gives another order and other crops.
        batches_per_epoch: batches per rank and epoch; by default one pass over the training pictures.
        synthetic: settings of the ``synthetic`` pictures.
    """

    def __init__(
        self,
        train: str | list[str] | dict[str, float] = "synthetic",
        validation: PictureSet | None = None,
        crop_size: int = 256,
        batch_size: int = 32,
        num_workers: int = 1,
        shuffle: int = 500,
        flips: bool = True,
        rotations: bool = True,
        seed: int = 0,
        batches_per_epoch: int | None = None,
        synthetic: SyntheticData = SyntheticData(),  # noqa: B008 (frozen)
    ) -> None:
        super().__init__()
        self.train = train
        self.validation = validation
        self.crop_size = crop_size
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.shuffle = shuffle
        self.flips = flips
        self.rotations = rotations
        self.seed = seed
        self.batches_per_epoch = batches_per_epoch
        self.synthetic = synthetic

    def prepare_data(self) -> None:
        """Draw the synthetic pictures, once per machine."""
        if self.train == "synthetic":
            self.synthetic.prepare()

    def train_dataloader(self) -> "EpochLoader":
        """Batches of one epoch."""
        if self.train == "synthetic":
            shards, pictures = [str(path) for path in self.synthetic.shards()], self.synthetic.pictures
        else:
            shards = sorted(str(path) for path in Path(str(self.train)).glob("*.tar"))
            pictures = 64 * len(shards)
        ranks = torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1
        batches = self.batches_per_epoch or max(1, pictures // (self.batch_size * ranks))
        stream = ShardStream(
            shards, self.crop_size, self.batch_size, self.shuffle, self.flips, self.rotations, self.seed
        )
        return EpochLoader(stream, batches, self.num_workers)

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        """The validation pictures in fixed order; nothing where there are none."""
        if self.validation is None:
            return []
        return DataLoader(self.validation, batch_size=self.validation.batch_size, collate_fn=collate)


class EpochLoader:
    """A fixed number of batches of an endless stream."""

    def __init__(self, stream: ShardStream, batches: int, num_workers: int) -> None:
        self.stream = stream
        self.batches = batches
        self.num_workers = num_workers

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Batch]:
        loader = DataLoader(
            self.stream, batch_size=None, num_workers=self.num_workers, pin_memory=torch.cuda.is_available()
        )
        self.stream.epoch += 1
        return itertools.islice(iter(loader), self.batches)
