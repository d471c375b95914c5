"""The Lightning data module: training batches by position, and fixed validation images."""

import logging
from functools import cached_property
from typing import Any

import torch.distributed as dist
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from data_pipelines.agreed import as_first_rank
from data_pipelines.augment import augmented
from data_pipelines.cache import LocalCache
from data_pipelines.crop import Augmentation
from data_pipelines.epochs import batch_layout, epoch_length, source_remarks
from data_pipelines.failures import Tally
from data_pipelines.folders import ImageFolder
from data_pipelines.images import ImageSet, collate
from data_pipelines.loader import TrainLoader
from data_pipelines.sources import Source, find_source
from data_pipelines.sources.encoding import StoredEncoding
from data_pipelines.sources.fields import Fields, KeyRule
from data_pipelines.synthetic import SyntheticData
from data_pipelines.training_data import DataPlan

log = logging.getLogger(__name__)

SYNTHETIC = "synthetic"


class ShardDataModule(LightningDataModule):
    """Training images from shards or folders, and a fixed validation set.

    Args:
        train: a source, a list that is read as one, or sources with weights ({faces.tar: 1, /data/shards:
            3}). A source is "synthetic" (images drawn on this machine), a folder of tar shards or of
            images, a tar, a list (.txt), a pattern such as /data/{000..127}.tar, or a URL (http:, https:,
            pipe:, s3:, gs:, hf:). A folder that precompute wrote is a source on its own.
        validation: an image set, or a source of photographs; null validates nothing.
        hq: member of a sample that is the clean image: hq takes 0001.hq.png, png takes 0001.png; by default the
            first of hq, gt and the image without a name of its own.
        lq: member that is the degraded image, which makes training pairs of its own (no degradation is applied);
            or a folder whose images have the names of those of the folder data.train.
        key: what forms a sample in an archive: "sample", the consecutive files whose names agree up to the first dot,
            or "file", each image.
        crop_size: height and width of the training crops in pixels, by default those of the model, else 256. Smaller
            images are enlarged.
        batch_size: training images per device and step; 32 unless global_batch_size says otherwise.
        global_batch_size: training images per optimizer step on all devices; batch_size or the accumulated
            batches follow from it.
        num_workers: reading processes per rank; 0 reads in the training process.
        shuffle: 0 keeps the order of names; otherwise the whole of each source is shuffled. Of an archive that can
            only be read from its beginning, so many samples are shuffled at a time, kept compressed.
        shuffle_block: samples of shards that are shuffled among themselves, where reading should stay within few shards
            at a time; 0 shuffles each source as a whole.
        augmentation: how crops are taken.
        seed: another seed gives another order and other crops.
        batches_per_epoch: batches per rank and epoch; by default one pass over the training images.
        max_bad_share: share of unusable samples above which the run stops with a report.
        synthetic: settings of the "synthetic" images.
        cache: where samples of remote archives with an index are kept.
        worker_timeout: seconds that training waits for a reading process before the run ends with a message; 0 waits
            for ever.
    """

    def __init__(
        self,
        train: str | list[str] | dict[str, float] = SYNTHETIC,
        validation: ImageSet | str | None = None,
        hq: str | None = None,
        lq: str | None = None,
        key: KeyRule = "sample",
        crop_size: int | None = None,
        batch_size: int | None = None,
        global_batch_size: int | None = None,
        num_workers: int = 1,
        shuffle: int = 1000,
        shuffle_block: int = 0,
        augmentation: Augmentation = Augmentation(),  # noqa: B008 (frozen)
        seed: int = 0,
        batches_per_epoch: int | None = None,
        max_bad_share: float = 0.1,
        synthetic: SyntheticData = SyntheticData(),  # noqa: B008 (frozen)
        cache: LocalCache = LocalCache(),  # noqa: B008 (frozen)
        worker_timeout: float = 1800.0,
    ) -> None:
        super().__init__()
        at_least_1 = {"crop_size": crop_size, "batch_size": batch_size, "global_batch_size": global_batch_size,
                      "batches_per_epoch": batches_per_epoch}  # fmt: skip
        for least, values in ((1, at_least_1), (0, {"num_workers": num_workers, "shuffle": shuffle,
                                                    "shuffle_block": shuffle_block})):  # fmt: skip
            for name, value in values.items():
                if value is not None and value < least:
                    raise ValueError(f"{name} must be at least {least}, not {value}.")
        self.train = _weights(train)
        self.fields = Fields(hq, lq)
        self.key: KeyRule = key
        self.validation = ImageFolder(validation) if isinstance(validation, str) else validation
        self.crop_size = crop_size
        self.batch_size = batch_size
        self.global_batch_size = global_batch_size
        self.num_workers = num_workers
        self.shuffle = shuffle
        self.shuffle_block = shuffle_block
        self.augmentation = augmentation
        self.seed = seed
        self.batches_per_epoch = batches_per_epoch
        self.max_bad_share = max_bad_share
        self.synthetic = synthetic
        self.cache = cache
        self.worker_timeout = worker_timeout
        self._loader: TrainLoader | None = None

    @property
    def tally(self) -> Tally:
        """Counts of what this rank has read so far, good and bad."""
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

    @property
    def encoding(self) -> StoredEncoding | None:
        """How the training data are read where they hold latents and tokens of ``precompute`` instead of images.

        Raises:
            ValueError: they are mixed with other sources, or of crops of another size than ``crop_size``.
        """
        found = [self._find(names, weight).encoding for names, weight in self.train if SYNTHETIC not in names]
        encoding = next((each for each in found if each is not None), None)
        if encoding is None:
            return None
        if len(self.train) > 1:
            raise ValueError(
                "A folder of precomputed latents is trained on alone: give no other data.train beside it."
            )
        if self.crop_size not in (None, encoding.crop_size):
            raise ValueError(
                f"The latents are of crops of {encoding.crop_size} pixels, and data.crop_size is {self.crop_size}."
            )
        return encoding

    def prepare_data(self) -> None:
        """Draw the synthetic images, once per machine."""
        if any(SYNTHETIC in names for names, _ in self.train):
            self.synthetic.prepare()

    def train_dataloader(self) -> TrainLoader:
        """The training data; the position is part of Lightning's checkpoints.

        Raises:
            ValueError: a source is not there or holds nothing, or the batches cannot be divided as asked for.
        """
        together = dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
        ranks, rank = (dist.get_world_size(), dist.get_rank()) if together else (1, 0)
        batch_size, accumulated = batch_layout(self.batch_size, self.global_batch_size, ranks, self._trainer)
        sources = self.cache.around(as_first_rank(lambda: self._found_here))
        _ = self.encoding  # refuses what cannot be read
        plan = DataPlan(
            sources, self.crop_size or 256, batch_size, self.shuffle, self.shuffle_block, self.augmentation, self.seed,
        )  # fmt: skip
        batches, remarks = epoch_length(plan, ranks, accumulated, self.batches_per_epoch)
        for line in remarks + source_remarks(plan) if rank == 0 else []:
            log.info(line)
        self.teardown("fit")
        overfit = getattr(self._trainer, "overfit_batches", 0)
        self._loader = TrainLoader(
            plan,
            batches,
            self.num_workers,
            self.max_bad_share,
            ranks,
            rank,
            repeat=max(1, round(overfit * batches))
            if isinstance(overfit, float) and overfit
            else int(overfit),
            unused=self._in_step,
            timeout=self.worker_timeout,
        )
        return self._loader

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Mirror and turn the training crops, on their device."""
        return augmented(batch)

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
        train = [{"name": s.name, "weight": s.weight, "samples": s.counts()} for s in self._found_here]
        return {"train": train, "validation": self.validation.names() if self.validation else []}

    @cached_property
    def _found_here(self) -> list[Source]:
        """Sources as this rank sees them."""
        return [self._find(names, weight) for names, weight in self.train]

    @cached_property
    def _sources(self) -> dict[tuple[str, ...], Source]:
        return {}

    def _find(self, names: list[str], weight: float) -> Source:
        """One source; looked for once."""
        if tuple(names) not in self._sources:
            folder = str(self.synthetic.folder)
            places = [folder if name == SYNTHETIC else name for name in names]
            self._sources[tuple(names)] = find_source(places, weight, self.fields, self.key)
        return self._sources[tuple(names)]

    @property
    def _trainer(self) -> Any:
        return self.__dict__.get("trainer")

    def _in_step(self) -> bool:
        """Whether a training step has its batch and is not done with it."""
        if self._trainer is None or not self._trainer.training:
            return False
        progress: Any = self._trainer.fit_loop.epoch_loop.batch_progress.current
        return bool(progress.ready > progress.processed)


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
