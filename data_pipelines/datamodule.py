"""The Lightning data module: streams training batches, and walks fixed validation images."""

import logging
from datetime import timedelta
from functools import cached_property
from typing import Any

import torch.distributed as dist
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from data_pipelines.crop import Augmentation
from data_pipelines.failures import Tally
from data_pipelines.folders import ImageFolder
from data_pipelines.images import ImageSet, collate
from data_pipelines.stream import Plan, TrainLoader
from data_pipelines.stream.arrange import Found, epoch_length, find_source, lengths, source_plans
from data_pipelines.stream.turning import turned
from data_pipelines.synthetic import SyntheticData

log = logging.getLogger(__name__)

SYNTHETIC = "synthetic"
TALK_TIMEOUT = timedelta(minutes=10)
"""How long ranks wait for each other when they compare shards or positions."""


class ShardDataModule(LightningDataModule):
    """Training images streamed from shards or folders, and a fixed validation set.

    Args:
        train: a source, a list that is read as one, or sources with weights ({faces.tar: 1, /data/shards:
            3}). A source is "synthetic" (images drawn on this machine), a folder of tar shards or of
            images, a tar, a list (.txt), a pattern such as /data/{000..127}.tar, or a URL (http:, https:,
            pipe:, s3:, gs:, hf:).
        validation: an image set, or a folder of photographs; null validates nothing.
        crop_size: height and width of the training crops in pixels. Smaller images are enlarged.
        batch_size: training images per rank and step.
        num_workers: reading processes per rank; 0 reads in the training process.
        shuffle: samples in each reader's shuffle window; they are kept compressed.
        augmentation: how crops are taken.
        seed: another seed gives another order and other crops.
        batches_per_epoch: batches per rank and epoch; by default one pass over the training images.
        max_bad_share: share of unusable samples above which the run stops with a report.
        synthetic: settings of the "synthetic" images.
        worker_timeout: seconds that training waits for a reading process before the run ends with a message; 0 waits
            for ever. Filling the first shuffle window from far away takes long.
    """

    def __init__(
        self,
        train: str | list[str] | dict[str, float] = SYNTHETIC,
        validation: ImageSet | str | None = None,
        crop_size: int = 256,
        batch_size: int = 32,
        num_workers: int = 1,
        shuffle: int = 1000,
        augmentation: Augmentation = Augmentation(),  # noqa: B008 (frozen)
        seed: int = 0,
        batches_per_epoch: int | None = None,
        max_bad_share: float = 0.1,
        synthetic: SyntheticData = SyntheticData(),  # noqa: B008 (frozen)
        worker_timeout: float = 1800.0,
    ) -> None:
        super().__init__()
        for name, value in {"crop_size": crop_size, "batch_size": batch_size, "shuffle": shuffle}.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}.")
        if num_workers < 0 or (batches_per_epoch is not None and batches_per_epoch < 1):
            raise ValueError("num_workers must be at least 0 and batches_per_epoch at least 1.")
        self.train = _weights(train)
        self.validation = ImageFolder(validation) if isinstance(validation, str) else validation
        self.crop_size = crop_size
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.shuffle = shuffle
        self.augmentation = augmentation
        self.seed = seed
        self.batches_per_epoch = batches_per_epoch
        self.max_bad_share = max_bad_share
        self.synthetic = synthetic
        self.worker_timeout = worker_timeout
        self._loader: TrainLoader | None = None
        self._sources: dict[tuple[str, ...], Found] = {}

    @property
    def tally(self) -> Tally:
        """What this rank has read so far, good and bad."""
        return self._loader.tally if self._loader is not None else Tally()

    def check(self) -> None:
        """Find every source and validation image now, before a run leaves its first file.

        Raises:
            ValueError: one is not there or holds nothing.
        """
        for names, weight in self.train:
            if SYNTHETIC not in names:
                self._find(names, weight)
        if self.validation is not None and len(self.validation) == 0:
            raise ValueError("The validation set is empty; set --data.validation to null to have none.")

    def prepare_data(self) -> None:
        """Draw the synthetic images, once per machine."""
        if any(SYNTHETIC in names for names, _ in self.train):
            self.synthetic.prepare()

    def train_dataloader(self) -> TrainLoader:
        """The endless training stream; its position is part of Lightning's checkpoints.

        Raises:
            ValueError: a source is not there or holds nothing.
        """
        together = dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
        group: Any = dist.new_group(backend="gloo", timeout=TALK_TIMEOUT) if together else None
        plan = self._plan(group)
        batches, said = epoch_length(plan, self.batches_per_epoch)
        if plan.rank == 0:
            for line in said:
                log.info(line)
        self.teardown("fit")
        self._loader = TrainLoader(
            plan,
            batches,
            self.num_workers,
            self.max_bad_share,
            group,
            unused=self._in_step,
            timeout=self.worker_timeout,
        )
        return self._loader

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Mirror and turn the training crops, on their device."""
        return turned(batch)

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        """The validation images in fixed order; nothing where there are none."""
        if self.validation is None:
            return []
        if dist.is_available() and dist.is_initialized() and dist.get_rank() == 0:
            repeated = -len(self.validation) % dist.get_world_size()
            if repeated:
                log.info("%d validation images are seen by two ranks: all ranks get as many.", repeated)
        return DataLoader(self.validation, batch_size=self.validation.batch_size, collate_fn=collate)

    def test_dataloader(self) -> DataLoader | list[DataLoader]:
        """The same images as for validation."""
        return self.val_dataloader()

    def predict_dataloader(self) -> DataLoader | list[DataLoader]:
        """The same images as for validation."""
        return self.val_dataloader()

    def teardown(self, stage: str) -> None:
        """End the reading processes."""
        if self._loader is not None:
            self._loader.close()

    def listing(self) -> dict[str, Any]:
        """What is read, for the record of a run: shards and their lengths per source, validation images.

        Raises:
            ValueError: a source is not there or holds nothing.
        """
        train = [
            {"name": name, "weight": weight, "samples": lengths(shards)}
            for name, weight, shards in self._found_here
        ]
        return {"train": train, "validation": self.validation.names() if self.validation else []}

    @cached_property
    def _found_here(self) -> list[Found]:
        """Shards as this rank sees them."""
        return [self._find(names, weight) for names, weight in self.train]

    def _find(self, names: list[str], weight: float) -> Found:
        """Shards of one source; looked for once."""
        if tuple(names) not in self._sources:
            folder = str(self.synthetic.folder)
            places = [folder if name == SYNTHETIC else name for name in names]
            self._sources[tuple(names)] = find_source(places, weight)
        return self._sources[tuple(names)]

    def _in_step(self) -> bool:
        """Whether a training step has its batch and is not done with it."""
        if self.trainer is None or not self.trainer.training:
            return False
        progress: Any = self.trainer.fit_loop.epoch_loop.batch_progress.current
        return bool(progress.ready > progress.processed)

    def _plan(self, group: dist.ProcessGroup | None) -> Plan:
        ranks = dist.get_world_size() if group is not None else 1
        rank = dist.get_rank() if group is not None else 0
        found = self._found(group)
        workers = max(1, self.num_workers)
        return Plan(
            sources=source_plans(found, ranks * workers, self.seed),
            crop_size=self.crop_size,
            batch_size=self.batch_size,
            shuffle=self.shuffle,
            augmentation=self.augmentation,
            seed=self.seed,
            ranks=ranks,
            rank=rank,
            workers=workers,
        )

    def _found(self, group: dist.ProcessGroup | None) -> list[Found]:
        """Shards as rank 0 sees them: every rank must read the same, whatever its own view of the disk."""
        if group is None:
            return self._found_here
        news: list[Any] = [None]
        if dist.get_rank() == 0:
            try:
                news = [self._found_here]
            except ValueError as error:
                news = [error]  # for all: a rank that fails alone leaves the others waiting
        dist.broadcast_object_list(news, src=0, group=group)
        if isinstance(news[0], ValueError):
            raise news[0]
        found: list[Found] = news[0]
        return found


def _weights(train: str | list[str] | dict[str, float]) -> list[tuple[list[str], float]]:
    """Names that form one source, and its weight; a list of names is one source."""
    if isinstance(train, dict):
        weights = [([str(name)], float(weight)) for name, weight in train.items()]
    else:
        weights = [([train] if isinstance(train, str) else list(train), 1.0)]
    if not weights or not weights[0][0]:
        raise ValueError("No training source: --data.train needs at least one folder, shard or URL.")
    if wrong := [(names, weight) for names, weight in weights if not weight > 0]:
        raise ValueError(
            f"The weight of {wrong[0][0][0]!r} must be above 0, not {wrong[0][1]}; leave it out instead."
        )
    return weights
