"""The index beside shards: how many samples each holds, its size and checksum."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from vosr.core.files.shown import reason

INDEX_NAME = "index.json"
_FORMAT = "vosr-shards-1"


@dataclass(frozen=True)
class IndexEntry:
    """One shard.

    Attributes:
        name: file name of the archive, beside the index.
        samples: number of samples.
        bytes: size of the archive.
        sha256: checksum of the archive.
        pixels: pixels of all its images, 0 where they were not looked at.
    """

    name: str
    samples: int
    bytes: int
    sha256: str
    pixels: int = 0


def read_index(text: str, where: str) -> list[IndexEntry]:
    """Entries of an index file.

    Raises:
        ValueError: it is not one of ours.
    """
    try:
        content = json.loads(text)
        if content["format"] != _FORMAT:
            raise ValueError(f"it is of the format {content['format']!r:.40}")
        return [_checked(IndexEntry(**entry)) for entry in content["shards"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{where} is no {_FORMAT!r} index ({reason(error)}); delete it, or write the shards again."
        ) from error


def _checked(entry: IndexEntry) -> IndexEntry:
    if not (isinstance(entry.name, str) and isinstance(entry.sha256, str)):
        raise ValueError("a name or checksum is no text")
    for count in (entry.samples, entry.bytes, entry.pixels):
        if type(count) is not int or not 0 <= count < 2**60:
            raise ValueError(f"{count!r:.40} counts nothing")
    return entry


def write_index(folder: Path, entries: list[IndexEntry], **more: object) -> Path:
    """Write the index of the shards in ``folder``, with totals and whatever else is to be remembered."""
    content = {
        "format": _FORMAT,
        "samples": sum(entry.samples for entry in entries),
        "bytes": sum(entry.bytes for entry in entries),
        **more,
        "shards": [asdict(entry) for entry in entries],
    }
    path = folder / INDEX_NAME
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(content, indent=1) + "\n")
    unfinished.replace(path)
    return path
