"""Cached samples of a remote archive."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from data_pipelines.safety.index import crc32
from data_pipelines.sources.fetch import read_range
from vosr.core.files.atomic import write_atomically


@dataclass(frozen=True)
class Kept:
    """Cache of a fixed share of an archive's samples, a file each, written when they are first read.

    Every pass reads each sample once, in another order: whatever was read last is not what comes next, so that a cache
    that drops the oldest would rarely hit. A fixed share hits in every pass, and no process needs to know what others
    have stored.

    Args:
        folder: where the files are.
        share: of the samples, in [0, 1].
    """

    folder: Path
    share: float

    def read(self, url: str, start: int, stop: int, check: int | None) -> bytes:
        """Bytes of a sample, from its file where that is whole.

        Args:
            url: of the archive.
            start: first byte.
            stop: first byte behind it.
            check: CRC-32 of the bytes, where it is known.

        Raises:
            SourceError: it is not here, and cannot be had from there.
        """
        digest = hashlib.sha256(
            f"{url} {start} {stop} {check}".encode("utf-8", "surrogateescape")
        ).hexdigest()
        if int(digest[:13], 16) >= self.share * 16**13:
            return read_range(url, start, stop)
        path = self.folder / digest[:2] / digest[2:32]
        with suppress(OSError):
            data = path.read_bytes()
            if len(data) == stop - start and check in (None, crc32(data)):
                return data
        data = read_range(url, start, stop)
        with suppress(OSError):  # a full disk: it is read from there again
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, lambda temporary: temporary.write_bytes(data))
        return data
