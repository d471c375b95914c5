"""Several devices of one machine: a process for each, with its own share of the images."""

import multiprocessing
import queue
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from vosr.core.pool import begin_worker, share_cores
from vosr.jobs.files import Writing
from vosr.jobs.job import Event, Job, OutputError, Reporter
from vosr.jobs.pipeline import restore_all
from vosr.jobs.plan import JobPlan
from vosr.jobs.recipe import Recipe

if TYPE_CHECKING:  # help does without torch
    from vosr.inference import Restorer

_INTERRUPTED = 130
_WAITING = 1024
"""Results that wait to be reported; beyond that the processes wait."""
_PATIENCE = 1.0
"""Seconds between looks whether a silent process is still alive."""


@dataclass(frozen=True)
class Work:
    """What every process does, but for its device and share.

    Attributes:
        recipe: opens the model.
        plan: images and where they go.
        writing: how results are written.
        batch_size: images of one size that are restored together.
        workers: processes that read and write for it.
    """

    recipe: Recipe
    plan: JobPlan
    writing: Writing
    batch_size: int = 1
    workers: int = 0

    def check(self) -> None:
        """Refuse numbers that make no sense.

        Raises:
            ValueError: with the number.
        """
        self.writing.encoding.check()
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {self.batch_size}.")
        if self.workers < 0:
            raise ValueError(f"workers must be at least 0, not {self.workers}.")

    def run(self, restorer: "Restorer", report: Reporter) -> None:
        """Restore everything; raises what :func:`restore_all` does."""
        self.run_jobs(self.plan.jobs(report), restorer, report)

    def run_jobs(self, jobs: Iterable[Job], restorer: "Restorer", report: Reporter) -> None:
        """Restore some of it."""
        restore_all(
            jobs,
            restorer,
            self.recipe.settings,
            self.writing,
            report,
            self.batch_size,
            self.workers,
        )


@dataclass(frozen=True)
class _Opened:
    """A process has its model."""

    settings: dict[str, object]


@dataclass(frozen=True)
class _Over:
    """A process has come to its end."""

    device: str
    error: str | None = None
    fatal: bool = False


def run_on_devices(
    work: Work, devices: Sequence[str], report: Reporter, opened: Callable[[dict[str, object]], None]
) -> None:
    """Restore on all devices at once.

    Args:
        work: what to do.
        devices: their names; one process each.
        report: called with every result, in this process.
        opened: called with the settings when a model is ready, before any of its results is reported.

    Raises:
        ValueError: a device or model that cannot be used, or a process that died; the others finish first.
        OutputError: nothing more can be written.
    """
    team = _Team(work, devices)
    try:
        for event in team.events():
            if isinstance(event, _Opened):
                opened(event.settings)
            elif not isinstance(event, _Over):
                report(event)
            elif event.fatal:
                raise OutputError(event.error or "")
    finally:
        team.stop()
        for event in team.events():
            if not isinstance(event, _Opened | _Over):
                report(event)
    if team.failures:
        raise ValueError(" ".join(dict.fromkeys(team.failures)))


class _Team:
    """The processes and their messages."""

    def __init__(self, work: Work, devices: Sequence[str]) -> None:
        context = multiprocessing.get_context("spawn")
        self._queue: Any = context.Queue(maxsize=_WAITING)
        self.failures: list[str] = []
        self._stopped = False
        self._processes = [
            context.Process(target=_serve, args=(work, index, list(devices), self._queue))
            for index in range(len(devices))
        ]
        for process in self._processes:
            process.start()

    def events(self) -> Iterator[Event | _Opened | _Over]:
        """Messages of the processes until all have ended."""
        while True:
            alive = any(process.is_alive() for process in self._processes)
            try:
                event = self._queue.get(timeout=_PATIENCE if alive else 0.1)
            except queue.Empty:
                if not alive:
                    break
                continue
            if isinstance(event, _Over) and event.error is not None and not event.fatal:
                self.failures.append(event.error)
            yield event
        for process in self._processes:
            if process.exitcode and not self._stopped:
                self.failures.append(
                    f"A process died with exit code {process.exitcode}; run the command again to go on."
                )

    def stop(self) -> None:
        """Let them finish what is under way."""
        self._stopped = True
        for process in self._processes:
            process.terminate()


def _serve(work: Work, index: int, devices: list[str], events: Any) -> None:
    """Body of a process."""
    begin_worker()  # the first process decides when to stop
    share_cores(len(devices))
    signal.signal(signal.SIGTERM, _interrupt)
    over = _Over(devices[index])
    try:
        restorer = work.recipe.open(devices[index])
        events.put(_Opened(work.recipe.record(restorer)))
        shard = work.plan.shard.part(index, len(devices))
        replace(work, plan=replace(work.plan, shard=shard)).run(restorer, events.put)
    except OutputError as error:
        over = replace(over, error=str(error), fatal=True)
    except ValueError as error:
        over = replace(over, error=str(error))
    except KeyboardInterrupt:
        events.close()
        events.join_thread()
        sys.exit(_INTERRUPTED)
    events.put(over)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
