"""Training data made on the spot: procedural images, written once as shards into a cache folder."""

import hashlib
import io
import json
import logging
import multiprocessing
import os
import signal
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from data_pipelines.synthetic.dead_leaves import IMAGES_PER_BANK, DeadLeaves
from data_pipelines.synthetic.graphics import Graphics
from data_pipelines.synthetic.patterns import Patterns
from vosr.core.files.atomic import write_atomically, write_once
from vosr.core.files.cache import cache_root

log = logging.getLogger(__name__)

IMAGES_PER_SHARD = IMAGES_PER_BANK
_RECIPE = 3
"""Raise when the generator changes, so that old caches are not taken for new ones."""


@dataclass(frozen=True)
class SyntheticData:
    """Procedural images as WebDataset shards: dead leaves, drawn graphics and simple patterns.

    Args:
        images: how many; about 0.02 s of one core and 90 KB of disk each at 256 px.
        size: height and width in pixels.
        seed: another seed gives other images.
        graphics: share of pages of text, dialogs, line art and plots.
        patterns: share of flat colours, gradients, stripes and checkerboards; the rest are dead leaves.
    """

    images: int = 4000
    size: int = 256
    seed: int = 0
    graphics: float = 0.15
    patterns: float = 0.1

    def __post_init__(self) -> None:
        if self.images < 1 or self.size < 16:
            raise ValueError(
                f"synthetic data needs images >= 1 and size >= 16, not {self.images} and {self.size}."
            )
        if min(self.graphics, self.patterns) < 0 or self.graphics + self.patterns > 1:
            raise ValueError(
                "synthetic data needs graphics and patterns of at least 0 that are at most 1 together, not "
                f"{self.graphics} and {self.patterns}."
            )

    def __call__(self, index: int) -> NDArray[np.uint8]:
        """Image number ``index``, (size, size, 3) uint8 sRGB; what kind it is depends on seed and index too."""
        kind = np.random.default_rng([self.seed, index, 4]).random()
        if kind < self.graphics:
            return Graphics(self.size, self.seed)(index)
        if kind < self.graphics + self.patterns:
            return Patterns(self.size, self.seed)(index)
        return DeadLeaves(self.size, self.seed)(index)

    @property
    def folder(self) -> Path:
        """Where the shards lie: one folder per settings, under ``VOSR_CACHE`` or the user's cache folder."""
        settings = json.dumps(asdict(self) | {"recipe": _RECIPE}, sort_keys=True)
        return cache_root() / f"synthetic-{hashlib.sha256(settings.encode()).hexdigest()[:12]}"

    def shards(self) -> list[Path]:
        """Paths of the shards, whether written yet or not."""
        count = -(-self.images // IMAGES_PER_SHARD)
        return [self.folder / f"synthetic-{i:05d}.tar" for i in range(count)]

    def prepare(self, processes: int | None = None) -> Path:
        """Write the shards that are missing; safe to interrupt, and to run twice at the same time on any machines.

        Args:
            processes: how many to use; all cores by default.

        Returns:
            The folder of the shards.
        """
        missing = [i for i, path in enumerate(self.shards()) if not path.exists()]
        if not missing:
            return self.folder
        self.folder.mkdir(parents=True, exist_ok=True)
        log.info("Drawing %d training images into %s (once).", self.images, self.folder)
        processes = min(processes or os.cpu_count() or 1, len(missing))
        title = f"Drawing {self.images} training images"
        if processes == 1:
            for number in track(missing, title):
                self._write_shard(number)
        else:
            with multiprocessing.Pool(processes, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
                for _ in track(pool.imap_unordered(self._write_shard, missing), title, total=len(missing)):
                    pass
        text = json.dumps(asdict(self), indent=2) + "\n"
        write_atomically(self.folder / "settings.json", lambda path: path.write_text(text))
        return self.folder

    def _write_shard(self, number: int) -> None:
        path = self.shards()[number]
        if not path.exists():  # another process may have written it since
            # Another version of a library encodes other bytes: whoever has listed the first file's samples must not
            # find a second one in its place.
            write_once(path, lambda temporary: self._write(temporary, number))

    def _write(self, path: Path, number: int) -> None:
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
            for key, encoded in self._encoded(number):
                member = tarfile.TarInfo(f"{key}.webp")
                member.size = len(encoded)
                archive.addfile(member, io.BytesIO(encoded))

    def _encoded(self, number: int) -> Iterator[tuple[str, bytes]]:
        first = number * IMAGES_PER_SHARD
        for index in range(first, min(first + IMAGES_PER_SHARD, self.images)):
            buffer = io.BytesIO()
            # lossless; higher methods take two to seven times as long for 5 to 15 % fewer bytes
            Image.fromarray(self(index)).save(buffer, "WEBP", lossless=True, method=0, quality=20)
            yield f"synthetic-{index:07d}", buffer.getvalue()
