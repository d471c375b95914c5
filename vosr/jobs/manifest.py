"""A line of JSON for every image that was tried."""

import json
import os
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

from vosr.jobs.job import Done, Job

MANIFEST = "manifest.jsonl"
"""Usual name; a folder that has it holds results."""
_TAIL = 65_536
_FOUND = "there already; its run ended before it could record it"


class Manifest:
    """Lines are appended whole and at once, so an interrupted run leaves a readable file, and a rerun adds to it.

    The file is made with its first line.

    Args:
        path: usually ``manifest.jsonl`` in the output folder; None writes nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._settings: dict[str, object] = {}
        self._file: int | None = None
        self._earlier = False
        self._known: set[int] | None = None
        self._settings_before: dict[str, object] = {}

    def __enter__(self) -> "Manifest":
        self._earlier = self.path is not None and self.path.exists()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.close(self._file)

    def begin(self, settings: dict[str, object]) -> None:
        """Set what the results depend on; it is written into every line, as a manifest may serve several runs."""
        self._settings = json.loads(json.dumps(settings))

    def add(self, done: Done) -> None:
        """Append a result."""
        if self.path is None:
            return
        self._append(done, self._settings)

    def found(self, jobs: Iterable[Job]) -> None:
        """Record results that are there without a line: written just before a run was killed."""
        if self.path is None or not self._earlier:
            return
        if self._known is None:
            self._known, self._settings_before = _read_back(self.path)
        for job in jobs:
            if hash(str(job.target.absolute())) not in self._known:
                self._append(Done(job, notes=(_FOUND,)), self._settings_before)
                self._known.add(hash(str(job.target.absolute())))

    def _append(self, done: Done, settings: dict[str, object]) -> None:
        assert self.path is not None
        record = {
            "input": str(done.job.source.absolute()),
            "output": str(done.job.target.absolute()),
            "status": "restored" if done.error is None else "failed",
            "seconds": round(done.seconds, 4),
            "size": done.size,
            "notes": done.notes,
            "error": done.error,
            "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "settings": settings,
        }
        if self._file is None:
            self._file = _opened(self.path)
        os.write(self._file, (json.dumps(record) + "\n").encode())

    def other_settings(self) -> bool:
        """Whether the last line of an earlier run has other settings."""
        if self.path is None or not self.path.exists():
            return False
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - _TAIL))
            lines = file.read().splitlines()
        for line in reversed(lines):
            try:
                return bool(json.loads(line)["settings"] != self._settings)
            except (ValueError, KeyError):  # torn by a kill
                continue
        return False


def _read_back(path: Path) -> tuple[set[int], dict[str, object]]:
    """Hashes of the recorded outputs, and the settings of the last line."""
    known, settings = set[int](), dict[str, object]()
    with path.open("rb") as file:
        for line in file:
            try:
                record = json.loads(line)
                if record["status"] == "restored":
                    known.add(hash(record["output"]))
                settings = record["settings"]
            except (ValueError, KeyError, TypeError):  # torn by a kill
                continue
    return known, settings


def _opened(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        os.write(file, b"\n")  # a line torn by a kill stays by itself
    return file
