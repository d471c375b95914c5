"""Checksums that an index keeps of the archives it names, and their comparison beside the training."""

import hashlib
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import imagecodecs

from vosr.core.files.cache import cache_root
from vosr.core.files.regular import open_regular

_BLOCK = 1 << 22
REST = 3.0
"""Seconds of rest for each second of reading and hashing: samples come first."""


def checksum(file: BinaryIO, rest: float = 0.0) -> str:
    """SHA-256 of what a file holds from its position on.

    Args:
        file: to be read.
        rest: seconds to wait for each second of work.
    """
    digest, begun = hashlib.sha256(), time.monotonic()
    while block := file.read(_BLOCK):
        digest.update(block)
        if rest:
            time.sleep(rest * (time.monotonic() - begun))
            begun = time.monotonic()
    return digest.hexdigest()


def crc32(data: bytes) -> int:
    """CRC-32 of a sample, as zlib has it; libdeflate takes a tenth of the time, and every reading pays it."""
    return int(imagecodecs.deflate_crc32(data))


class WholeCheck(threading.Thread):
    """Compares local archives with the SHA-256 of their index, each once: what fits is remembered until it changes.

    Args:
        archives: path and SHA-256 of each.
        rest: as in :func:`checksum`.
    """

    def __init__(self, archives: Sequence[tuple[Path, str]], rest: float = REST) -> None:
        super().__init__(daemon=True)
        self._archives = archives
        self._rest = rest
        self._unlike: queue.SimpleQueue[str] = queue.SimpleQueue()

    def run(self) -> None:
        """Read one archive after another."""
        for path, expected in self._archives:
            try:
                mark = note_of(path, expected, ".whole")
                if mark.exists():
                    continue
                with open_regular(path) as file:
                    found = checksum(file, self._rest)
                if found != expected:
                    self._unlike.put(str(path))
                    continue
                mark.parent.mkdir(parents=True, exist_ok=True)
                mark.touch()
            except (
                OSError
            ):  # reading its samples tells, too; and a mark that cannot be kept is made next time
                continue

    def unlike(self) -> Iterator[str]:
        """Archives that differ from their index, each once, as they are found."""
        while not self._unlike.empty():
            yield self._unlike.get()


def note_of(path: Path, about: str, suffix: str) -> Path:
    """Where what is known of a file is kept, as long as the file stays as it is.

    Raises:
        OSError: the file is not there.
    """
    status = path.stat()
    identity = f"{path.resolve()} {status.st_size} {status.st_mtime_ns} {about}"
    name = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return cache_root() / "index" / f"{name}{suffix}"
