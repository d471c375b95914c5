"""The training data as a map-style dataset: position -> batch, a function of the seed and the position alone."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import torch
from torch.utils.data import Dataset, get_worker_info

from data_pipelines.augment import UnaugmentedBatch
from data_pipelines.crop import Augmentation, Crop
from data_pipelines.decode import decode_crop
from data_pipelines.failures import BadDataError, Fault, ImageError, Reason
from data_pipelines.order import Mixture, PassOrder, hashed, uniform
from data_pipelines.pairs import decode_pair
from data_pipelines.safety.index import WholeCheck
from data_pipelines.safety.places import is_remote
from data_pipelines.sources import RawSample, Source, SourceError
from data_pipelines.sources.encoding import StoredEncoding
from data_pipelines.sources.fetch import local_path
from data_pipelines.sources.fields import AmbiguousError
from data_pipelines.sources.shard import TarShard
from data_pipelines.sources.stream import SHARDS_WITHOUT_SAMPLES, endless
from vosr.core.files.shown import reason
from vosr.core.types import Batch

SAMPLES_WITHOUT_IMAGE = 500
"""Unusable samples in a row after which a reader gives up."""
_CROP, _SUBSTITUTE = 1, 2


@dataclass(frozen=True)
class DataPlan:
    """How the training data are made.

    Attributes:
        sources: what is mixed.
        crop_size: height and width of the crops in pixels.
        batch_size: images per batch.
        shuffle: 0 keeps the order of names; else samples are shuffled, and so many are in the buffer of a stream.
        block: shuffle within blocks of this many samples; 0 shuffles the whole source.
        augmentation: how crops are taken.
        seed: decides orders and crops.
    """

    sources: tuple[Source, ...]
    crop_size: int
    batch_size: int
    shuffle: int = 1000
    block: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0

    @property
    def encoding(self) -> StoredEncoding | None:
        """How the only source is read where it holds latents and tokens."""
        return self.sources[0].encoding

    @property
    def mixture(self) -> Mixture:
        """Which source stands at which position."""
        return Mixture([source.weight for source in self.sources])


@dataclass(frozen=True)
class Delivery:
    """What a reader hands over at a time.

    Attributes:
        batch: a full batch; None where the reader gave up.
        faults: what was left out.
        complaint: why the reader gave up.
    """

    batch: Batch | None
    faults: list[Fault] = field(default_factory=list)
    complaint: str = ""

    def pin_memory(self) -> "Delivery":
        """With the batch in page-locked memory; called by torch's DataLoader."""
        return self if self.batch is None else replace(self, batch=self.batch.pin_memory())


class TrainingData(Dataset[Delivery]):
    """Batches by the position of their first sample.

    Args:
        plan: what to read and how.
        shifts: for each source, samples that were taken of it beyond what the mixture says for a position; others
            than 0 where a run continues with other sources or weights.
        compare: whether this reader's first process also compares whole archives with their index.
    """

    def __init__(self, plan: DataPlan, shifts: tuple[int, ...] | None = None, compare: bool = False) -> None:
        self.plan = plan
        self.shifts = shifts or (0,) * len(plan.sources)
        self._mixture = plan.mixture
        self._streams: dict[int, Iterator[RawSample]] = {}
        self._faults: list[Fault] = []
        self._compare = compare
        self._check: WholeCheck | None = None

    def __getitem__(self, first: int) -> Delivery:
        """The batch of positions ``first`` to ``first + batch_size``."""
        self._compare_whole()
        try:
            batch = self._batch(first)
        except (BadDataError, AmbiguousError) as error:
            batch, complaint = None, str(error)
        else:
            complaint = ""
        faults, self._faults = self._faults, []
        return Delivery(batch, faults, complaint)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_streams": {}, "_check": None}

    def _compare_whole(self) -> None:
        """Start comparing archives with their index, in one process of the reader; log which differ."""
        worker = get_worker_info()
        if self._compare and (worker is None or worker.id == 0):
            self._compare = False
            shards = [shard for source in self.plan.sources for shard in source.shards]
            local = [shard for shard in shards if isinstance(shard, TarShard) and not is_remote(shard.url)]
            self._check = WholeCheck(
                [(local_path(shard.url), shard.sha256) for shard in local if shard.sha256]
            )
            self._check.start()
        if self._check is not None:
            self._faults += [
                Fault(Reason.SHARD_DAMAGED, url, "it is not the archive of its index: its SHA-256 differs")
                for url in self._check.unlike()
            ]

    def _batch(self, first: int) -> Batch:
        """Images, or what stands for them."""
        encoding = self.plan.encoding
        if encoding is None:
            return self._images(first)
        return encoding.batch([self.sample(first + i)[2] for i in range(self.plan.batch_size)])

    def _images(self, first: int) -> UnaugmentedBatch:
        """Write the crops into one piece of memory; a worker's is shared, the training process copies nothing."""
        size, count = self.plan.crop_size, self.plan.batch_size
        paired = self.plan.sources[0].fields.lq is not None
        pixels = torch.empty((1 + paired, count, size, size, 3), dtype=torch.uint8)
        if get_worker_info() is not None:
            pixels = pixels.share_memory_()
        rows, keys, turns = pixels.numpy(), [], []
        for i in range(count):
            key, crop, images = self.sample(first + i)
            for row, image in zip(rows, images):
                row[i] = image
            keys.append(key)
            turns.append((crop.mirror, crop.quarter_turns))
        hq, *lq = pixels.permute(0, 1, 4, 2, 3).unbind()
        return UnaugmentedBatch(hq, lq[0] if lq else None, keys, tuple(turns))

    def sample(self, position: int) -> tuple[str, Crop, Any]:
        """Key, crop and pixels (clean, degraded) of one position, or tensors by name where images are encoded.

        What cannot be used is reported, and another sample of the same source takes its place.

        Raises:
            BadDataError: sample after sample cannot be used.
        """
        number, before = self._mixture.at(position)
        source, rank = self.plan.sources[number], before + self.shifts[number]
        crop = Crop.drawn(uniform(4, self.plan.seed, position, _CROP), self.plan.augmentation)
        lost: set[str] = set()
        for attempt in range(SAMPLES_WITHOUT_IMAGE):
            try:
                raw = self._read(number, rank, position, attempt)
            except SourceError as error:
                self._faults.append(Fault(error.reason, error.where, str(error)))
                if error.reason is not Reason.UNREADABLE_FILE:
                    lost.add(error.where)
                if len(lost) >= SHARDS_WITHOUT_SAMPLES:
                    raise BadDataError(f"{source.name}: {len(lost)} shards in a row give nothing.") from error
                continue
            try:
                return raw.key, crop, self._decoded(source, raw, crop)
            except ImageError as error:
                self._faults.append(Fault(error.reason, raw.key, str(error)))
        raise BadDataError(f"{SAMPLES_WITHOUT_IMAGE} samples in a row without a usable image.")

    def _read(self, number: int, rank: int, position: int, attempt: int) -> RawSample:
        try:
            return self._raw(number, rank, position, attempt)
        except (SourceError, BadDataError, AmbiguousError):
            raise
        except (
            Exception
        ) as error:  # whatever damage or a store makes of a library: one sample must not end the run
            name = self.plan.sources[number].name
            raise SourceError(Reason.SHARD_DAMAGED, name, f"{name}: {reason(error)}") from error

    def _raw(self, number: int, rank: int, position: int, attempt: int) -> RawSample:
        source = self.plan.sources[number]
        if source.samples is None:
            if number not in self._streams:
                window = max(1, round(self.plan.shuffle)) if self.plan.shuffle else 0
                self._streams[number] = endless(source.streams, source.rule, window, self._faults.append)
            return next(self._streams[number])
        if attempt:
            return source.read(hashed(self.plan.seed, position, _SUBSTITUTE, attempt) % source.samples)
        turn, place = divmod(rank, source.samples)
        return source.read(self._order(number, turn)[place])

    @lru_cache(maxsize=8)  # noqa: B019 (lives as long as its process)
    def _order(self, number: int, turn: int) -> PassOrder:
        plan, source = self.plan, self.plan.sources[number]
        key = hashed(plan.seed, source.fingerprint, turn)
        shuffled = plan.shuffle > 0 and (
            turn > 0 or source.encoding is None
        )  # encoded in the order of a first pass
        return PassOrder([len(shard) for shard in source.shards], shuffled, plan.block, key)

    def _decoded(self, source: Source, raw: RawSample, crop: Crop) -> Any:
        if source.encoding is not None:
            return source.encoding.tensors(raw.members)
        clean, degraded = source.fields.pick(raw.members)
        size, shrink_to = self.plan.crop_size, self.plan.augmentation.shrink_to
        if degraded is None:
            return (decode_crop(raw.members[clean], crop, size, shrink_to),)
        return decode_pair(raw.members[clean], raw.members[degraded], crop, size, shrink_to)
