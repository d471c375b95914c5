"""Where time goes: consecutive phases of the work, timed on the device that does it."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch


class Clock(Protocol):
    """Moments in the course of the work, and the time between them."""

    def now(self) -> Any:
        """A mark behind all work given out so far."""

    def wait(self, mark: Any) -> None:
        """Return when the work before ``mark`` is done."""

    def seconds(self, start: Any, end: Any) -> float:
        """Time between two marks that are done."""


class HostClock:
    """For devices that have done their work when a call returns."""

    def now(self) -> float:
        return time.perf_counter()

    def wait(self, mark: float) -> None:
        """Nothing to wait for."""

    def seconds(self, start: float, end: float) -> float:
        return end - start


class CudaClock:
    """Events in the CUDA stream: setting a mark does not make the host wait."""

    def now(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def wait(self, mark: torch.cuda.Event) -> None:
        mark.synchronize()

    def seconds(self, start: torch.cuda.Event, end: torch.cuda.Event) -> float:
        return start.elapsed_time(end) / 1000


class Phases:
    """Times consecutive phases, nested ones apart, on the device that does the work.

    Every change of phase sets a mark, and :meth:`take` reads them all at once: only there the host waits. Does
    nothing until :meth:`start`.
    """

    def __init__(self) -> None:
        self._clock: Clock | None = None
        self._marks: list[tuple[str | None, Any]] = []

    def start(self, clock: Clock) -> None:
        """Begin to keep time; no phase is running yet."""
        self._clock, self._marks = clock, []
        self.begin(None)

    def begin(self, phase: str | None) -> None:
        """End the phase that runs and begin another one; None counts for nothing."""
        if self._clock is not None:
            self._marks.append((phase, self._clock.now()))

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """What runs inside is ``phase``; the one around it goes on afterwards."""
        around = self._marks[-1][0] if self._marks else None
        self.begin(phase)
        try:
            yield
        finally:
            self.begin(around)

    def take(self) -> dict[str, float]:
        """Seconds of every phase since the last call or the start; waits for the device."""
        assert self._clock is not None
        self.begin(self._marks[-1][0])
        self._clock.wait(self._marks[-1][1])
        seconds: dict[str, float] = defaultdict(float)
        for (phase, start), (_, end) in zip(self._marks, self._marks[1:]):
            if phase is not None:
                seconds[phase] += self._clock.seconds(start, end)
        self._marks = self._marks[-1:]
        return dict(seconds)


def clock_of(device: torch.device) -> Clock:
    """The clock of a device."""
    return CudaClock() if device.type == "cuda" else HostClock()
