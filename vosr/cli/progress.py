"""What a user sees of a long run: a bar with the time left, errors as they come, and a summary."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vosr.core.console import PlainConsole
from vosr.imaging.formats import by_suffix
from vosr.jobs.job import Done, Event, PassedOver, Skipped
from vosr.jobs.manifest import Manifest
from vosr.jobs.plan import JobPlan

MOST_ERRORS = 20
"""Errors that are shown; the manifest holds all."""
_EVERY = 30.0
"""Seconds between lines where there is no terminal for a bar."""


@dataclass
class JobTally:
    """Counts of images restored, failed and left out so far.

    Attributes:
        restored: written.
        failed: passed over.
        skipped: left out, as their files exist.
        last: the last one that was restored.
        notes: distinct notes and how many images they are about.
        unread: images of formats that are not read.
    """

    restored: int = 0
    failed: int = 0
    skipped: int = 0
    last: Done | None = None
    notes: dict[str, int] = field(default_factory=dict)
    unread: list[Path] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """Count."""
        if isinstance(event, Skipped):
            self.skipped += event.count
        elif isinstance(event, PassedOver):
            self.unread.append(event.source)
        elif event.error is not None:
            self.failed += 1
        else:
            self.restored, self.last = self.restored + 1, event
            for note in event.notes:
                self.notes[note] = self.notes.get(note, 0) + 1


class Display:
    """Shows progress on standard error.

    Args:
        plan: whose images are counted in the background, as a folder may take long to list.
        quiet: show errors only.
    """

    def __init__(self, plan: JobPlan, quiet: bool) -> None:
        self.tally = JobTally()
        self.pages: Path | None = None
        self.timings: dict[str, float] = {}
        self._plan, self._quiet = plan, quiet
        self._console = PlainConsole(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(
            *columns, console=self._console, transient=True, disable=quiet or not self._console.is_terminal
        )
        self._task = self._progress.add_task("Restoring", total=None)
        self._total: int | None = None
        self._incomplete = False
        self._start = self._printed_at = time.monotonic()

    def __enter__(self) -> "Display":
        if not self._progress.disable:
            self._progress.start()
        if not self._quiet:
            Thread(target=self._count, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._progress.disable:  # rich before 14.3 would end a bar that never was with an empty line
            self._progress.stop()

    def add(self, event: Event) -> None:
        """Take note of an event."""
        self.tally.add(event)
        if isinstance(event, Done) and event.error is not None and self.tally.failed <= MOST_ERRORS:
            self._console.print(f"error: {event.error}")
        tried = self.tally.restored + self.tally.failed
        left = None if self._total is None else self._total - self.tally.skipped
        self._progress.update(self._task, completed=tried, total=left)
        if not self._quiet and not self._console.is_terminal and time.monotonic() - self._printed_at > _EVERY:
            self._print_progress(tried, left)

    def stage(self, name: str, done: int, total: int) -> None:
        """Show where the work on the current image is: for one image the bar counts the stage's pieces."""
        where = name if total <= 1 else f"{name} {done}/{total}"
        if self._plan.single:
            self._progress.update(self._task, description=name, completed=done, total=total)
        else:
            self._progress.update(self._task, description=f"Restoring ({where})")
        silent = self._quiet or self._console.is_terminal or not self._plan.single
        if not silent and time.monotonic() - self._printed_at > _EVERY:
            self._printed_at = time.monotonic()
            self._console.print(where)

    def complain(self, message: str) -> None:
        """Show an error that is about no single image."""
        self._incomplete = True
        self._console.print(f"error: {message}")

    @property
    def status(self) -> int:
        """Exit status: 1 if something failed, 2 if nothing could be done."""
        if not self.tally.failed and not self._incomplete:
            return 0
        return 1 if self.tally.restored or self.tally.skipped else 2

    def _print_progress(self, tried: int, left: int | None) -> None:
        self._printed_at = time.monotonic()
        rate = tried / (self._printed_at - self._start)
        rest = f", {(left - tried) / rate / 60:.0f} minutes left" if left is not None and rate else ""
        self._console.print(f"{tried} of {left or '?'} images, {rate:.2f} a second{rest}")

    def _count(self) -> None:
        try:
            self._total = self._plan.count()
        except OSError:
            return  # a folder that went away; the total stays unknown

    def conclude(self, manifest: Manifest) -> None:
        """Print what was done."""
        tally = self.tally
        if tally.failed > MOST_ERRORS:
            more = f"error: {tally.failed - MOST_ERRORS} more images failed"
            self._console.print(more + (f"; {manifest.path} names them." if manifest.path else "."))
        if self._quiet:
            return
        out = PlainConsole()
        tried = tally.restored + tally.failed
        where = tally.last.job.target if tally.last is not None and self._plan.single else self._plan.folder
        if tally.restored:
            spent = time.monotonic() - self._start
            out.print(f"Restored {tally.restored} of {tried} images in {_clock(spent)}: {where}")
        if tally.skipped:
            other = " with other settings" if manifest.other_settings() else ""
            out.print(
                f"Skipped {tally.skipped} that exist{other} in {self._plan.folder}; "
                "--skip_existing=false restores them again.",
                markup=False,
            )
        if tally.unread:
            out.print(f"Passed over {by_suffix(tally.unread)}: formats that are not read.", markup=False)
        if self.timings:
            each = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in self.timings.items())
            out.print(f"Seconds: {each}")
        if self.pages is not None:
            out.print(f"Compare: {self.pages}")
        for note, count in tally.notes.items():
            out.print(f"Note: {note}" + (f" ({count} images)" if count > 1 else ""))


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return (
        f"{seconds // 3600:.0f} h {seconds % 3600 / 60:.0f} min"
        if seconds >= 3600
        else f"{seconds / 60:.1f} min"
    )
