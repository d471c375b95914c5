"""One reading process: draws, decodes, crops, collates; every batch carries the state behind it."""

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import get_worker_info

from data_pipelines.crop import Crop
from data_pipelines.decode import decode_crop
from data_pipelines.failures import BadDataError, Fault, ImageError, Reason
from data_pipelines.sources import RawSample
from data_pipelines.stream.plan import Plan
from data_pipelines.stream.tape import Mark, tape
from data_pipelines.stream.turning import UnturnedBatch
from data_pipelines.stream.window import ShuffleWindow
from vosr.core.types import Batch

SAMPLES_WITHOUT_IMAGE = 500
"""Unusable samples in a row after which a reader gives up."""

DRAWS_TOGETHER = 256
"""A generator takes as long to begin as to draw this many numbers."""

ReaderState = dict[str, Any]


@dataclass(frozen=True)
class Delivery:
    """What a reader hands over at a time.

    Attributes:
        batch: a full batch; None where the reader gave up.
        state: state of the reader after this batch.
        faults: what was left out since the last delivery.
        complaint: why the reader gave up.
    """

    batch: Batch | None
    state: ReaderState
    faults: list[Fault] = field(default_factory=list)
    complaint: str = ""

    def pin_memory(self) -> "Delivery":
        """With the batch in page-locked memory; called by torch's DataLoader."""
        return self if self.batch is None else replace(self, batch=self.batch.pin_memory())


class Reader:
    """Reader number ``number`` of ``plan.readers``.

    Args:
        plan: what to read and how.
        number: which reader this is: rank * workers + worker.
        state: state to go on from; None begins.
    """

    def __init__(self, plan: Plan, number: int, state: ReaderState | None = None) -> None:
        self.plan = plan
        self.number = number
        self._draws: int = state["draws"] if state else 0
        self._windows: list[dict[str, Any] | None] = state["windows"] if state else [None] * len(plan.sources)
        self._open: dict[int, ShuffleWindow] = {}
        self._faults: list[Fault] = []
        weights = np.array([source.weight for source in plan.sources], np.float64)
        self._thresholds: list[float] = np.cumsum(weights / weights.sum())[:-1].tolist()
        self._block: tuple[int, list[list[float]]] = -1, []

    def __iter__(self) -> Iterator[Delivery]:
        """Deliver batches for ever, or until there is nothing to be read."""
        try:
            while True:
                batch = self._batch()
                faults, self._faults = self._faults, []
                yield Delivery(batch, self.state(), faults)
        except BadDataError as error:
            yield Delivery(None, self.state(), self._faults, str(error))

    def state(self) -> ReaderState:
        """State to go on from behind the last sample drawn; plain values only."""
        windows = [
            self._open[source].state() if source in self._open else state
            for source, state in enumerate(self._windows)
        ]
        return {"draws": self._draws, "windows": windows}

    def _batch(self) -> UnturnedBatch:
        """The next batch, written image by image.

        A worker writes into shared memory, from which the training process takes the batch without a copy.
        """
        size = self.plan.crop_size
        pixels = torch.empty((self.plan.batch_size, size, size, 3), dtype=torch.uint8)
        if get_worker_info() is not None:
            pixels = pixels.share_memory_()
        keys, turns = [], []
        for row in pixels.numpy():
            key, crop, row[:] = self._image()
            keys.append(key)
            turns.append((crop.mirror, crop.quarter_turns))
        return UnturnedBatch(hq=pixels.permute(0, 3, 1, 2), lq=None, key=keys, turns=tuple(turns))

    def _image(self) -> tuple[str, Crop, NDArray[np.uint8]]:
        """Key and pixels of the next usable sample, cut as the crop says and not turned yet."""
        for _ in range(SAMPLES_WITHOUT_IMAGE):
            choice, *place = self._uniform()
            source = bisect.bisect_right(self._thresholds, choice)
            crop = Crop.drawn(place, self.plan.augmentation)
            sample = next(self._window(source))
            self._draws += 1
            try:
                return sample.key, crop, self._decoded(sample, crop)
            except ImageError as error:
                self._faults.append(Fault(error.reason, sample.key, str(error)))
        raise BadDataError(f"{SAMPLES_WITHOUT_IMAGE} samples in a row without a usable image.")

    def _uniform(self) -> list[float]:
        """Five numbers in [0, 1) that belong to the next draw: a function of seed, reader and draw alone."""
        block, row = divmod(self._draws, DRAWS_TOGETHER)
        if block != self._block[0]:
            rng = np.random.default_rng([self.plan.seed, self.number, block])
            self._block = block, rng.random((DRAWS_TOGETHER, 5)).tolist()
        return self._block[1][row]

    def _decoded(self, sample: RawSample, crop: Crop) -> NDArray[np.uint8]:
        if sample.image is None:
            kinds = ", ".join(sample.members) or "nothing"
            raise ImageError(sample.problem or Reason.NO_IMAGE, f"the sample holds {kinds}")
        return decode_crop(sample.image[1], crop, self.plan.crop_size, self.plan.augmentation.shrink_to)

    def _window(self, source: int) -> ShuffleWindow:
        if source not in self._open:
            plan, readers = self.plan.sources[source], self.plan.readers

            def open_tape(start: Mark) -> Iterator[tuple[Mark, RawSample]]:
                return tape(plan, self.number, readers, start, self._faults.append)

            seed = window_seed(self.plan.seed, source, self.number)
            self._open[source] = ShuffleWindow(
                open_tape, self.plan.window(source), seed, self._windows[source]
            )
        return self._open[source]


def window_seed(seed: int, source: int, reader: int) -> tuple[int, ...]:
    """Seed of the shuffle window of one source in one reader."""
    return (seed, source, reader, 1)
