"""Writes archives one after the other, and a journal from which an interrupted run goes on."""

import json
import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from webdataset import TarWriter

from data_pipelines.sources.index import IndexEntry, entry_of

JOURNAL_NAME = "journal.jsonl"


@dataclass
class JournalEntry:
    """What happened between two finished shards; one line of the journal.

    Attributes:
        inputs: inputs looked at since the beginning.
        shard: the shard that was finished, None at the very end.
        marks: checksum and perceptual hash of each of its samples.
        dropped: name, reason and detail of what was left out.
    """

    inputs: int
    shard: IndexEntry | None
    marks: list[tuple[str, int]] = field(default_factory=list)
    dropped: list[tuple[str, str, str]] = field(default_factory=list)


class Packer:
    """Packs samples into ``shard-000000.tar`` and so on.

    Args:
        out: folder of the shards.
        max_samples: of a shard.
        max_megabytes: of a shard, exceeded by one sample at most.
        finished: number of shards that are there already.
    """

    def __init__(self, out: Path, max_samples: int, max_megabytes: float, finished: int) -> None:
        self.out = out
        self.max_samples = max_samples
        self.max_megabytes = max_megabytes
        self.number = finished
        self._file: BinaryIO | None = None
        self._archive: TarWriter | None = None
        self._samples = 0
        self._bytes = 0
        self._pixels = 0

    def add(self, key: str, members: dict[str, bytes], pixels: int) -> None:
        """Append one sample to the shard that is open."""
        if self._archive is None:
            self._file = self._unfinished.open("wb")
            self._archive = TarWriter(self._file, encoder=False, mtime=0)  # the same bytes whenever it runs
        self._bytes += self._archive.write(
            {"__key__": key, **{kind or "bin": each for kind, each in members.items()}}
        )
        self._samples += 1
        self._pixels += pixels

    @property
    def full(self) -> bool:
        """Whether the open shard has reached a limit."""
        return self._samples >= self.max_samples or self._bytes >= self.max_megabytes * 1e6

    def finish(self) -> IndexEntry | None:
        """Close the open shard and give it its name; None where nothing is open."""
        if self._archive is None:
            return None
        self._archive.close()
        if self._file is not None:
            self._file.close()
        path = self.out / f"shard-{self.number:06d}.tar"
        self._unfinished.replace(path)
        entry = entry_of(path, self._pixels)
        self.number += 1
        self._archive, self._samples, self._bytes, self._pixels = None, 0, 0, 0
        return entry

    @property
    def _unfinished(self) -> Path:
        return self.out / "shard.part"


class Journal:
    """Append-only record in the output folder of what is finished; resumes an earlier run.

    Args:
        out: output folder.
        settings: what decides the content of the shards; an earlier run must have had the same.

    Raises:
        ValueError: the folder holds the shards of other settings.
    """

    def __init__(self, out: Path, settings: dict[str, Any]) -> None:
        self.path = out / JOURNAL_NAME
        self.entries: list[JournalEntry] = []
        if not self.path.exists():
            if alien := sorted(path.name for path in out.glob("shard-*.tar")):
                raise ValueError(
                    f"{out} holds {alien[0]}, which this run has not written; choose another folder."
                )
            self._append(settings)
            return
        lines = self.path.read_bytes().split(b"\n")[:-1]  # what follows the last newline was cut off
        if not lines or json.loads(lines[0]) != json.loads(json.dumps(settings)):
            raise ValueError(
                f"{out} holds unfinished shards of other sources or options; choose another, or delete it."
            )
        self.entries = [_entry(json.loads(line)) for line in lines[1:]]
        self.path.write_bytes(b"".join(line + b"\n" for line in lines))

    def add(self, entry: JournalEntry) -> None:
        """Write down a finished shard."""
        self._append(asdict(entry))
        self.entries.append(JournalEntry(entry.inputs, entry.shard, [], entry.dropped))

    @property
    def inputs(self) -> int:
        """Inputs that are done with."""
        return self.entries[-1].inputs if self.entries else 0

    @property
    def shards(self) -> list[IndexEntry]:
        """Finished shards."""
        return [entry.shard for entry in self.entries if entry.shard is not None]

    def dropped(self) -> Counter[str]:
        """Counts of what was left out, by reason."""
        return Counter(reason for entry in self.entries for _, reason, _ in entry.dropped)

    def _append(self, content: dict[str, Any]) -> None:
        with self.path.open("ab") as file:
            file.write(json.dumps(content).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _entry(content: dict[str, Any]) -> JournalEntry:
    shard = IndexEntry(**content["shard"]) if content["shard"] else None
    marks = [(checksum, fingerprint) for checksum, fingerprint in content["marks"]]
    return JournalEntry(content["inputs"], shard, marks, [(n, r, d) for n, r, d in content["dropped"]])
