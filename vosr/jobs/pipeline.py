"""Read, restore, write: files are read ahead and written behind while the model works.

Every queue is bounded, so memory does not grow with the number of images.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vosr.core.pool import Pool, Task
from vosr.imaging.photo import Animation, Photo
from vosr.imaging.reading import reason_of
from vosr.jobs.batches import Batches
from vosr.jobs.files import Read, Writing, check_target, read, write, write_frames
from vosr.jobs.job import Done, Job, OutputError, Reporter

if TYPE_CHECKING:  # help does without torch
    from vosr.inference import Restorer, Settings

HELD = 2**26
"""Results of more pixels (192 MiB at 8 bits) are not held: they go to the file in strips."""
_AHEAD = 2
"""Images per worker that are read ahead, and that wait to be written."""
_SIZE = tuple[int, int]
_UNEXPECTED = "an unexpected error"


@dataclass(frozen=True, eq=False)
class _Loaded:
    """A photo on its way to a batch."""

    job: Job
    photo: Photo
    size: _SIZE


def restore_all(
    jobs: Iterable[Job],
    restorer: "Restorer",
    settings: "Settings",
    writing: Writing,
    report: Reporter,
    batch_size: int = 1,
    workers: int = 0,
) -> None:
    """Restore images; the outcome of each is reported, in no fixed order.

    An image that cannot be read, restored or written is reported and skipped. When the caller interrupts, what has
    been restored is still written.

    Args:
        jobs: taken one by one as the work goes on.
        restorer: the model.
        settings: of every image.
        writing: how results are written.
        report: called with every result, in this process.
        batch_size: images of one size that are restored together.
        workers: processes that read and write; 0 does both here.

    Raises:
        OutputError: nothing more can be written.
    """
    pool = Pool(workers)
    writer = _Writer(pool, report, _AHEAD * max(1, workers))
    try:
        model = _Model(restorer, settings, writing, writer, report)
        batches: Batches[_Loaded] = Batches(batch_size)
        for job, content in _read_ahead(jobs, pool, writing, report, _AHEAD * max(1, workers)):
            if isinstance(content, Photo):
                loaded = model.prepare(job, content)
                if loaded is not None:
                    for batch in batches.add(
                        (loaded.photo.pixels.shape, loaded.photo.pixels.dtype.str), loaded
                    ):
                        model.restore(batch)
            else:
                model.restore_alone(job, content)
        for batch in batches.rest():
            model.restore(batch)
    finally:
        try:
            writer.finish()
        finally:
            pool.close()


def _read_ahead(
    jobs: Iterable[Job], pool: Pool, writing: Writing, report: Reporter, ahead: int
) -> Iterator[tuple[Job, Photo | Animation | None]]:
    """Jobs with what was read, in order; None where the image is too large to be read by a worker."""
    waiting: deque[tuple[Job, Task[Read]]] = deque()

    def oldest() -> Iterator[tuple[Job, Photo | Animation | None]]:
        job, task = waiting.popleft()
        try:
            result = pool.result(task)
        except Exception as error:  # one file's fault must not end the others
            result = Read(error=f"Cannot read {job.source}: {reason_of(error)}.")
        if result.error is not None:
            report(Done(job, error=result.error))
        else:
            yield job, result.content

    for job in jobs:
        waiting.append((job, pool.submit(read, job.source, writing.frames)))
        if len(waiting) >= ahead:
            yield from oldest()
    while waiting:
        yield from oldest()


class _Model:
    """Runs the model and hands results on."""

    def __init__(
        self,
        restorer: "Restorer",
        settings: "Settings",
        writing: Writing,
        writer: "_Writer",
        report: Reporter,
    ) -> None:
        self._restorer, self._settings = restorer, settings
        self._writing, self._writer, self._report = writing, writer, report

    def prepare(self, job: Job, photo: Photo) -> _Loaded | None:
        """A photo that goes into a batch; None where it was refused, or restored in strips."""
        try:
            size = self._restorer.output_size(*photo.size, self._settings)
            check_target(job, [size])
        except Exception as error:
            self._report(Done(job, error=_cannot_restore(job, error)))
            return None
        if size[0] * size[1] <= HELD:
            return _Loaded(job, photo, size)
        self._stream(job, photo, size)
        return None

    def restore(self, batch: Sequence[_Loaded]) -> None:
        """Restore together; where that fails, one by one, so that only the culprit fails."""
        start = time.monotonic()
        try:
            results = self._restorer.restore_batch([loaded.photo.pixels for loaded in batch], self._settings)
        except Exception as error:
            if len(batch) == 1:
                self._report(Done(batch[0].job, error=_cannot_restore(batch[0].job, error)))
                return
            for loaded in batch:
                self.restore([loaded])
            return
        seconds = (time.monotonic() - start) / len(batch)
        for loaded, restored in zip(batch, results, strict=True):
            done = Done(loaded.job, seconds, size=loaded.size)
            photo = loaded.photo
            if loaded.job.comparison is None:
                photo = replace(photo, pixels=photo.pixels[:0])  # not needed any more: less to hand over
            self._writer.add(done, write, photo, [restored], loaded.size, self._writing.encoding)

    def restore_alone(self, job: Job, content: Animation | None) -> None:
        """An image that was too large for a worker, or all images of a file."""
        if content is None:
            result = read(job.source, self._writing.frames, largest=2**63)
            if result.error is not None:
                self._report(Done(job, error=result.error))
                return
            if isinstance(result.content, Photo):
                loaded = self.prepare(job, result.content)
                if loaded is not None:
                    self.restore([loaded])
                return
            content = result.content
        if content is not None:
            self._restore_frames(job, content)

    def _stream(self, job: Job, photo: Photo, size: _SIZE) -> None:
        """Restore and write strip by strip, in this process."""
        start = time.monotonic()
        try:
            notes = write(
                job,
                photo,
                self._restorer.restore_rows(photo.pixels, self._settings),
                size,
                self._writing.encoding,
            )
        except OutputError as error:
            self._report(Done(job, error=str(error)))
            raise
        except Exception as error:
            self._report(Done(job, error=_cannot_restore(job, error)))
        else:
            self._report(Done(job, time.monotonic() - start, size=size, notes=notes))

    def _restore_frames(self, job: Job, animation: Animation) -> None:
        start = time.monotonic()
        try:
            sizes = [self._restorer.output_size(*frame.size, self._settings) for frame in animation.frames]
            check_target(job, sizes)
            restored = [
                self._restorer.restore_batch([frame.pixels], self._settings)[0] for frame in animation.frames
            ]
        except Exception as error:
            self._report(Done(job, error=_cannot_restore(job, error)))
            return
        done = Done(job, time.monotonic() - start, size=sizes[0])
        self._writer.add(done, write_frames, animation, restored, self._writing.encoding)


class _Writer:
    """Writes in the pool; reports images once their files are there."""

    def __init__(self, pool: Pool, report: Reporter, most: int) -> None:
        self._pool, self._report, self._most = pool, report, most
        self._waiting: deque[tuple[Done, Task[tuple[str, ...]]]] = deque()

    def add(self, done: Done, call: Callable[..., tuple[str, ...]], *arguments: object) -> None:
        """Write by ``call``, which returns notes; waits where too much waits already."""
        self._waiting.append((done, self._pool.submit(call, done.job, *arguments)))
        while self._waiting and (self._waiting[0][1].over or len(self._waiting) > self._most):
            self._settle()

    def finish(self) -> None:
        """Wait for everything."""
        while self._waiting:
            self._settle()

    def _settle(self) -> None:
        """Report the first image once it is written; an interrupt while it is waited for leaves it first."""
        done, task = self._waiting[0]
        failed: OutputError | None = None
        try:
            outcome = replace(done, notes=self._pool.result(task))
        except OutputError as error:
            outcome, failed = replace(done, error=str(error)), error
        except Exception as error:
            reason = _reason(error, done.job.target)
            outcome = replace(done, error=f"Cannot write {done.job.target}: {reason}.")
        self._waiting.popleft()
        self._report(outcome)
        if failed is not None:
            raise failed


def _cannot_restore(job: Job, error: Exception) -> str:
    return f"Cannot restore {job.source}: {reason_of(error, 'an unexpected error')}."


def _reason(error: Exception, target: Path) -> str:
    return reason_of(error, _UNEXPECTED).removeprefix(f"Cannot write {target}: ")
