"""A byte-counting stream, which bounds how far decompression may expand a file."""

import io
import tarfile
from typing import Any

MOST_GROWTH = 200
"""Images hardly compress; a stream that grows by more is made to fill memory or to take for ever."""
FREE = 2**26
"""Bytes that may come out before the growth is looked at."""


class CountedStream(io.RawIOBase):
    """Counts the bytes that are taken from ``stream``, anything with ``read``; a buffer may stand around it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.received = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self.received += len(data)
        return len(data)

    def check_growth(self, made: int) -> None:
        """Refuse a stream out of which far more came than went in.

        Args:
            made: bytes that came out of the decompressor so far.

        Raises:
            tarfile.ReadError: the stream is a decompression bomb.
        """
        if made > FREE + MOST_GROWTH * self.received:
            raise tarfile.ReadError(f"{self.received} compressed bytes became more than {made}: a bomb")
