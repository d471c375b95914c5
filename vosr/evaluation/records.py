"""What was measured so far: JSON lines that survive an interruption and are shared by all shards."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Record:
    """One result of one method.

    Attributes:
        benchmark: its name.
        group: of the sample.
        key: of the sample.
        source: photograph of the sample.
        method: label.
        fingerprint: of method and protocol; other records of the same sample are out of date.
        size: width and height of the result.
        seconds: that the method took; None where it was not run here.
        memory: peak in MiB; None where it is not known.
        metrics: figures by registered name; None where a metric does not apply.
        checks: value, limit and direction ("at most", "at least") by name.
        error: why there is no result.
    """

    benchmark: str
    group: str
    key: str
    source: str
    method: str
    fingerprint: str
    size: tuple[int, int] = (0, 0)
    seconds: float | None = None
    memory: float | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)
    checks: dict[str, tuple[float, float, str]] = field(default_factory=dict)
    error: str | None = None


class Records:
    """Records of a report's folder, from every file ``records*.jsonl``; new ones are appended to one of them.

    Args:
        folder: of the report.
        part: of the file that is appended to; shards write a file each.
    """

    def __init__(self, folder: Path, part: str = "") -> None:
        self._file = folder / f"records{part}.jsonl"
        self._records: dict[tuple[str, str, str, str], Record] = {}
        self.descriptions: dict[tuple[str, str], dict[str, Any]] = {}
        for path in sorted(folder.glob("records*.jsonl"), key=lambda path: path.stat().st_mtime):
            for line in _lines(path):
                self._take(line)

    def find(self, benchmark: str, method: str, fingerprint: str, key: str) -> Record | None:
        """The last record of this sample, if it is up to date."""
        return self._records.get((benchmark, method, fingerprint, key))

    def add(self, record: Record) -> None:
        """Append a record."""
        self._write(asdict(record))

    def describe(self, method: str, fingerprint: str, description: dict[str, object]) -> None:
        """Append what a method is."""
        self._write({"method": method, "fingerprint": fingerprint, "description": description})

    def _write(self, line: dict[str, Any]) -> None:
        _append(self._file, json.dumps(line))
        self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        if "description" in line:
            self.descriptions[line["method"], line["fingerprint"]] = line["description"]
            return
        known = {each.name for each in fields(Record)}
        record = Record(**{key: value for key, value in line.items() if key in known})
        self._records[record.benchmark, record.method, record.fingerprint, record.key] = record


def _append(path: Path, text: str) -> None:
    """Add a line at once; a line that a kill tore stays by itself."""
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            text = text if file.read(1) == b"\n" else "\n" + text
        file.write(f"{text}\n".encode())


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Whole lines; one torn by a kill is passed over."""
    with path.open("rb") as file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and {"method", "fingerprint"} <= record.keys():
                yield record
