"""Shuffling of compressed samples in a window whose state fits into a checkpoint."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data_pipelines.sources import RawSample
from data_pipelines.stream.order import Seen
from data_pipelines.stream.tape import Mark

OpenTape = Callable[[Mark], Iterator[tuple[Mark, RawSample]]]


class ShuffleWindow:
    """Gives the samples of a tape shuffled, ``size`` at a time.

    While one window is given out the next is read, one for one: memory stays at ``size`` compressed samples
    and reading is spread evenly. A window is a pure function of where it starts on the tape and of its
    number, so its state is a few integers, and restoring it reads ``size`` samples and decodes none.

    Args:
        open_tape: gives the tape from a mark on.
        size: samples per window.
        seed: decides the permutations.
        state: what :meth:`state` gave, to go on from there.
    """

    def __init__(
        self, open_tape: OpenTape, size: int, seed: tuple[int, ...], state: dict[str, Any] | None = None
    ) -> None:
        self.seed = seed
        self.size = size
        start = Mark(*state["start"]) if state else Mark(0, 0)
        self._number = state["number"] if state else 0
        self._tape = open_tape(start)
        if state:
            self.size = state["size"]  # the permutation belongs to the size it was drawn for
        self._begin([next(self._tape) for _ in range(self.size)])
        self._given = state["given"] if state else 0
        for position in self._permutation[: self._given]:
            self._samples[position] = None
        self._next: list[tuple[Mark, RawSample]] = []
        self._wanted = size
        for _ in range(min(self._given, size)):
            self._next.append(next(self._tape))

    def __next__(self) -> RawSample:
        """The next sample."""
        if self._given == self.size:
            self._turn_over()
        position = self._permutation[self._given]
        sample, self._samples[position] = self._samples[position], None
        self._given += 1
        if len(self._next) < self._wanted:
            self._next.append(next(self._tape))
        if sample is None:
            raise AssertionError("sample given twice")
        return sample

    def state(self) -> dict[str, Any]:
        """Where the window starts on the tape, and how much of it was given; plain values only."""
        return {
            "start": list(self._marks[0]),
            "number": self._number,
            "size": self.size,
            "given": self._given,
            "runs": self._runs,
        }

    def _turn_over(self) -> None:
        while len(self._next) < self._wanted:
            self._next.append(next(self._tape))
        self.size = self._wanted
        self._number += 1
        self._begin(self._next)
        self._next, self._given = [], 0

    def _begin(self, window: list[tuple[Mark, RawSample]]) -> None:
        self._marks = [mark for mark, _ in window]
        self._samples: list[RawSample | None] = [sample for _, sample in window]
        self._permutation = permutation(self.size, self.seed, self._number)
        self._runs = _runs(self._marks)


def permutation(size: int, seed: tuple[int, ...], number: int) -> list[int]:
    """Order in which window ``number`` is given out."""
    shuffled: list[int] = np.random.default_rng([*seed, number]).permutation(size).tolist()
    return shuffled


def _runs(marks: list[Mark]) -> list[list[int]]:
    """Marks as [item, first number, step, count], one or few per item; a step is the number of parts."""
    runs: list[list[int]] = []
    for item, number in marks:
        last = runs[-1] if runs else None
        if last and last[0] == item and (last[3] == 1 or number == last[1] + last[2] * last[3]):
            if last[3] == 1:
                last[2] = number - last[1]
            last[3] += 1
        else:
            runs.append([item, number, 1, 1])
    return runs


@dataclass(frozen=True)
class Progress:
    """What one reader has given of one source, in its own items.

    Attributes:
        finished: every item below this was given completely.
        also: these later ones too.
        partly: items of which some samples were given.
    """

    finished: int = 0
    also: frozenset[int] = frozenset()
    partly: Mapping[int, Seen] = field(default_factory=dict)


def progress(state: dict[str, Any], seed: tuple[int, ...]) -> Progress:
    """What a reader had given when its window was in ``state``."""
    marks = [Mark(item, first + step * i) for item, first, step, count in state["runs"] for i in range(count)]
    order = permutation(state["size"], seed, state["number"])
    given = {marks[position] for position in order[: state["given"]]}
    first, last = marks[0], marks[-1].item
    left = {mark.item for mark in marks if mark not in given} | {last}  # the last may go on behind the window
    partly = {
        item: Seen(
            first.number if item == first.item else 0,
            frozenset(mark.number for mark in given if mark.item == item),
        )
        for item in left
    }
    also = frozenset(range(first.item, last)) - left
    return Progress(first.item, also, partly)
