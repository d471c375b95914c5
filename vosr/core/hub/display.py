"""Progress of downloads on standard error: a bar a file in a terminal, a line now and then in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from vosr.core.console import PlainConsole

EVERY = 15.0
"""Seconds between lines where there is no terminal for a bar."""


class Downloads:
    """All files of one command on one display."""

    def __init__(self) -> None:
        self._console = PlainConsole(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._progress = Progress(*columns, console=self._console)

    def __enter__(self) -> "Downloads":
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    @contextmanager
    def file(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """One more file; to be called with the bytes that are there and those in all."""
        task = self._progress.add_task(name, total=None)
        printed = time.monotonic()

        def progress(done: int, total: int) -> None:
            nonlocal printed
            self._progress.update(task, completed=done, total=total)
            if not self._console.is_terminal and time.monotonic() - printed > EVERY:
                printed = time.monotonic()
                self._console.print(f"{name}: {done / 1e6:.0f} of {total / 1e6:.0f} MB")

        yield progress

    def print(self, line: str) -> None:
        """Write a line above the bars."""
        self._console.print(line)
