"""Shards that several machines write: a folder for each part, and one index when the last is there."""

import json
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from data_pipelines.sources.index import INDEX_NAME, IndexEntry, read_index, write_index
from vosr.core.files.atomic import remove
from vosr.core.files.lock import locked
from vosr.core.shard import JobShard

DROPPED = "dropped.tsv"


def part_folder(out: Path, shard: JobShard) -> Path:
    """Where one part is written."""
    return out / f"part-{shard.index + 1:05d}-of-{shard.count:05d}"


def merge_parts(out: Path, count: int, settings: dict[str, object]) -> bool:
    """Put the shards of all parts into ``out`` under one index; False where a part is still missing.

    Whoever ends last does it; begun and interrupted, it is done by the next one that comes.

    Raises:
        ValueError: another process is at it, or no part holds anything.
    """
    folders = [part_folder(out, JobShard(index, count)) for index in range(count)]
    if not all((folder / INDEX_NAME).is_file() for folder in folders):
        return False
    with locked(out):
        contents = [json.loads((folder / INDEX_NAME).read_text()) for folder in folders]
        entries = [
            _moved(folder, entry, out, f"{number:05d}")
            for number, folder in enumerate(folders, start=1)
            for entry in read_index((folder / INDEX_NAME).read_text(), str(folder))
        ]
        head, *_ = lines = [(folder / DROPPED).read_text(encoding="utf-8").splitlines() for folder in folders]
        rows = [row for part in lines for row in part[1:]]
        (out / DROPPED).write_text("\n".join([head[0], *rows, ""]), encoding="utf-8")
        if not entries:
            raise ValueError(f"No image is left to pack; {out / DROPPED} lists them.")
        dropped: Counter[str] = sum((Counter(content["dropped"]) for content in contents), Counter())
        inputs = sum(content["inputs"] for content in contents)
        write_index(out, entries, **json.loads(json.dumps(settings)), inputs=inputs, dropped=dict(dropped))
        for folder in folders:
            remove(folder)
    return True


def _moved(folder: Path, entry: IndexEntry, out: Path, part: str) -> IndexEntry:
    """A shard of a part under its name in ``out``."""
    moved = replace(entry, name=entry.name.replace("shard-", f"shard-{part}-"))
    with suppress(FileNotFoundError):  # an interrupted merge has moved it
        (folder / entry.name).rename(out / moved.name)
    return moved
