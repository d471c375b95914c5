"""Endless stream of training batches out of tar shards."""

import tarfile
from collections.abc import Iterator

import numpy as np
import torch.distributed
from torch.utils.data import IterableDataset, get_worker_info

from data_pipelines.crop import Crop
from data_pipelines.decode import decode
from data_pipelines.pictures import Picture, collate
from vosr.types import Batch

PICTURE_SUFFIXES = ("jpg", "jpeg", "png", "webp")


class ShardStream(IterableDataset[Batch]):
    """Batches of random crops from shuffled shards; never ends."""

    def __init__(
        self,
        shards: list[str],
        crop_size: int,
        batch_size: int,
        shuffle: int,
        flips: bool,
        rotations: bool,
        seed: int,
    ) -> None:
        self.shards = shards
        self.crop_size = crop_size
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.flips = flips
        self.rotations = rotations
        self.seed = seed
        self.epoch = 0

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        workers, number = (worker.num_workers, worker.id) if worker else (1, 0)
        rank, world = 0, 1
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
        reader, readers = rank * workers + number, world * workers
        rng = np.random.default_rng([self.seed, self.epoch, reader])
        pictures: list[Picture] = []
        for key, encoded in self._shuffled(rng, reader, readers):
            cut = Crop.draw(rng, self.flips, self.rotations)
            pictures.append(Picture(key, cut(decode(encoded), self.crop_size)))
            if len(pictures) == self.batch_size:
                yield collate(pictures)
                pictures = []

    def _shuffled(self, rng: np.random.Generator, reader: int, readers: int) -> Iterator[tuple[str, bytes]]:
        buffer: list[tuple[str, bytes]] = []
        for sample in self._samples(reader, readers):
            buffer.append(sample)
            if len(buffer) >= self.shuffle:
                yield buffer.pop(int(rng.integers(len(buffer))))

    def _samples(self, reader: int, readers: int) -> Iterator[tuple[str, bytes]]:
        parts = -(-readers // len(self.shards))
        lap = self.epoch * 1000
        while True:
            order = np.random.default_rng([self.seed, lap]).permutation(len(self.shards) * parts)
            for place in order[reader::readers]:
                yield from _tar_samples(self.shards[place // parts], int(place % parts), parts)
            lap += 1


def _tar_samples(path: str, part: int, parts: int) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path, "r|") as archive:
        number = 0
        for member in archive:
            archive.members = []  # otherwise tarfile remembers every member
            key, _, suffix = member.name.rpartition(".")
            if suffix.lower() in PICTURE_SUFFIXES:
                number += 1
                if number % parts == part:
                    extracted = archive.extractfile(member)
                    if extracted is not None:
                        yield key, extracted.read()
