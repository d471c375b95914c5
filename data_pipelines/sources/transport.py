"""Byte streams of local files, web servers, pipes and object stores, with retries.

Web servers are read by Python itself, so that a broken connection goes on where it broke. Everything else
(``pipe:``, ``s3:``, ``gs:``, ``hf:`` ...) is opened by webdataset's ``gopen``, through that store's own
program.
"""

import http.client
import io
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, BinaryIO

from webdataset import gopen

from data_pipelines.safety.answers import body_length
from data_pipelines.safety.places import is_remote
from vosr.core.files.regular import open_regular

log = logging.getLogger(__name__)

ATTEMPTS = 6
"""How often one stream may fail in a row; pauses double from FIRST_PAUSE, 6 seconds in all."""
FIRST_PAUSE = 0.2
TIMEOUT = 60.0
GONE = (401, 403, 404, 410)
"""Answers of a web server that trying again does not change."""

_FAULTS = (OSError, http.client.HTTPException, EOFError)


def open_url(url: str) -> BinaryIO:
    """Open a path or URL for reading.

    Raises:
        OSError: there is no such file, or the store keeps failing.
    """
    if not is_remote(url):
        return open_regular(url.removeprefix("file://"))
    connect = _connect_http if url.startswith(("http://", "https://")) else _connect_other
    return io.BufferedReader(ResumingStream(url, connect), 1 << 18)


class ResumingStream(io.RawIOBase):
    """Unseekable stream that reconnects, with growing pauses, at the byte where it broke.

    Args:
        url: named in error messages.
        connect: (url, first byte) -> stream of the bytes from there on, and their number where it is known.
    """

    def __init__(self, url: str, connect: Callable[[str, int], tuple[Any, int | None]]) -> None:
        self.url = url
        self.connect = connect
        self.position = 0
        self._stream: Any = None
        self._remaining: int | None = None
        self._retrying(self._reconnect)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer``; 0 at the end."""
        data: bytes = self._retrying(lambda: self._read(len(buffer)))
        buffer[: len(data)] = data
        self.position += len(data)
        return len(data)

    def close(self) -> None:
        """Close the connection."""
        self._drop()
        super().close()

    def _read(self, size: int) -> bytes:
        if self._stream is None:
            self._reconnect()
        data: bytes = self._stream.read(size)
        if self._remaining is not None:
            self._remaining -= len(data)
        if not data:
            if self._remaining:
                raise EOFError(f"connection closed {self._remaining} bytes early")
            self._stream.close()  # a pipe tells here whether its command failed
        return data

    def _reconnect(self) -> None:
        self._drop()
        self._stream, self._remaining = self.connect(self.url, self.position)

    def _drop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            try:
                stream.close()
            except _FAULTS as error:  # the stream is given up because it failed
                log.debug("%s while closing: %s", self.url, error)

    def _retrying(self, action: Callable[[], Any]) -> Any:
        for attempt in range(ATTEMPTS):
            try:
                return action()
            except _FAULTS as error:
                self._drop()
                gone = isinstance(error, urllib.error.HTTPError) and error.code in GONE
                if gone or isinstance(error, FileNotFoundError) or attempt == ATTEMPTS - 1:
                    raise OSError(f"{self.url}: {error} (tried {attempt + 1} times)") from error
                log.info("%s: %s; trying again.", self.url, error)
                time.sleep(FIRST_PAUSE * 2**attempt)
        raise AssertionError("unreachable")


def _connect_http(url: str, first: int) -> tuple[Any, int | None]:
    request = urllib.request.Request(url, headers={"Range": f"bytes={first}-"} if first else {})
    answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    remaining = body_length(answer.status, answer.headers, first)
    if first and answer.status != 206:
        _discard(answer, first)
    return answer, remaining


def _connect_other(url: str, first: int) -> tuple[Any, int | None]:
    stream = gopen(url, "rb")
    _discard(stream, first)
    return stream, None


def _discard(stream: Any, count: int) -> None:
    while count > 0:
        data = stream.read(min(count, 1 << 20))
        if not data:
            raise EOFError(f"stream ends {count} bytes before the place where it broke")
        count -= len(data)
