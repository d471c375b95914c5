"""Bytes of local files, web servers and object stores: a range of them, or all one after another.

Web servers are asked through urllib3, which tries again; other stores through fsspec; ``pipe:`` runs a command that
the user spelled, by webdataset's ``gopen``.
"""

import io
import os
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
import urllib3
from webdataset import gopen

from data_pipelines.failures import Reason
from data_pipelines.safety.answers import body_length
from data_pipelines.safety.places import is_remote
from vosr.core.files.regular import open_regular

ATTEMPTS = 6
"""How often a web server is asked; pauses double from PAUSE, 6 seconds in all."""
PAUSE = 0.2
TIMEOUT = 60.0
FORGIVEN_AFTER = 300.0
"""Seconds in which a shard that could not be had is not asked for again."""
_OPEN_AT_MOST = 64


class SourceError(OSError):
    """A file, a shard or a part of it cannot be had.

    Attributes:
        reason: why.
        where: the file or shard.
    """

    def __init__(self, reason: Reason, where: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.where = where


def local_path(url: str) -> Path:
    """Path of a local ``url``."""
    return Path(url.removeprefix("file://")).expanduser()


def read_range(url: str, start: int, stop: int) -> bytes:
    """Bytes ``start`` to ``stop`` of a local or remote file.

    Raises:
        SourceError: it is not there, does not answer, or is shorter.
    """
    failed, until = _failed.get(url, (None, 0.0))
    if failed is not None and time.monotonic() < until:
        raise failed
    try:
        data = _range_of(url, start, stop)
    except FileNotFoundError as error:
        raise _remember(url, SourceError(Reason.SHARD_MISSING, url, f"{url} is not there")) from error
    except (OSError, urllib3.exceptions.HTTPError, ValueError) as error:
        raise _remember(url, SourceError(Reason.SHARD_UNREACHABLE, url, f"{url}: {error}")) from error
    if len(data) != stop - start:
        raise SourceError(Reason.SHARD_DAMAGED, url, f"{url} ends before byte {stop}: it is truncated")
    return data


def open_stream(url: str) -> BinaryIO:
    """Open a path or URL to be read from its beginning; a web server's connection is taken up where it breaks.

    Raises:
        SourceError: there is no such file, or the store does not answer.
    """
    try:
        if url.startswith("pipe:"):
            return gopen(url, "rb")
        if not is_remote(url):
            return open_regular(local_path(url))
        if url.startswith(("http://", "https://")):
            return io.BufferedReader(_WebStream(url), 1 << 18)
        return fsspec.open(url, "rb").open()
    except FileNotFoundError as error:
        raise SourceError(Reason.SHARD_MISSING, url, f"{url} is not there") from error
    except Exception as error:  # object stores have kinds of their own
        raise SourceError(Reason.SHARD_UNREACHABLE, url, f"{url}: {error}") from error


_files: "OrderedDict[str, tuple[int, BinaryIO]]" = OrderedDict()
_failed: dict[str, tuple[SourceError, float]] = {}
_pools: dict[int, urllib3.PoolManager] = {}


def _remember(url: str, error: SourceError) -> SourceError:
    _failed[url] = error, time.monotonic() + FORGIVEN_AFTER
    return error


def _range_of(url: str, start: int, stop: int) -> bytes:
    if url.startswith(("http://", "https://")):
        return _web_range(url, start, stop)
    if is_remote(url):
        try:
            store, path = fsspec.core.url_to_fs(url)
            return bytes(store.cat_file(path, start=start, end=stop))
        except FileNotFoundError:
            raise
        except Exception as error:  # object stores have kinds of their own
            raise OSError(str(error)) from error
    owner, file = _files.get(url, (0, None))
    if file is None or owner != os.getpid():  # a forked process has its own places in a file
        file = open_regular(local_path(url)).detach()  # type: ignore[attr-defined]  # a buffer would hold what a file was
        _files[url] = os.getpid(), file
        if len(_files) > _OPEN_AT_MOST:
            _files.popitem(last=False)[1][1].close()
    _files.move_to_end(url)
    file.seek(start)
    return file.read(stop - start)


def gives_ranges(url: str) -> bool:
    """Whether a part of a remote file can be asked for."""
    if not url.startswith(("http://", "https://")):
        return True
    answer = _ask(url, 0, 1)
    answer.close()
    return bool(answer.status == 206)


def _web_range(url: str, start: int, stop: int) -> bytes:
    for attempt in range(ATTEMPTS):
        answer = _ask(url, start, stop)
        try:
            data: bytes = answer.read(stop - start, decode_content=False)
            answer.close() if answer.status == 200 else answer.release_conn()
            return data
        except (OSError, urllib3.exceptions.HTTPError) as error:
            answer.close()
            if attempt == ATTEMPTS - 1:
                raise OSError(f"{error} (tried {ATTEMPTS} times)") from error
            time.sleep(PAUSE * 2**attempt)
    raise AssertionError("unreachable")


def _ask(url: str, start: int, stop: int | None) -> Any:
    """The answer of a web server to a request for a range.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it answers something else than what was asked for.
    """
    pool = _pools.setdefault(
        os.getpid(),
        urllib3.PoolManager(
            timeout=TIMEOUT,
            retries=urllib3.Retry(
                ATTEMPTS - 1,
                backoff_factor=PAUSE,
                status_forcelist=(429, 500, 502, 503, 504),
                respect_retry_after_header=False,
            ),
        ),
    )
    wanted = {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"} if start or stop else {}
    answer = pool.request("GET", url, headers=wanted, preload_content=False)
    try:
        if answer.status in (404, 410):
            raise FileNotFoundError(url)
        if answer.status not in (200, 206):
            raise OSError(f"the server answers {answer.status} {answer.reason}")
        body_length(answer.status, answer.headers, start)
        if answer.status == 200 and start and stop is not None:
            raise OSError("the server gives no parts of files")
    except BaseException:
        answer.close()
        raise
    return answer


class _WebStream(io.RawIOBase):
    """A web server's file, taken up at the byte where the connection broke."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.position = 0
        self._answer: Any = _ask(url, 0, None)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        for attempt in range(ATTEMPTS):
            try:
                if self._answer is None:
                    self._answer = self._again()
                data: bytes = self._answer.read(len(buffer), decode_content=False)
                break
            except (OSError, urllib3.exceptions.HTTPError, ValueError) as error:
                self._drop()
                if attempt == ATTEMPTS - 1:
                    raise OSError(f"{self.url}: {error} (tried {ATTEMPTS} times)") from error
                time.sleep(PAUSE * 2**attempt)
        buffer[: len(data)] = data
        self.position += len(data)
        return len(data)

    def close(self) -> None:
        self._drop()
        super().close()

    def _again(self) -> Any:
        answer = _ask(self.url, self.position, None)
        left = self.position if answer.status == 200 else 0
        while left and (data := answer.read(min(left, 1 << 20), decode_content=False)):
            left -= len(data)
        return answer

    def _drop(self) -> None:
        if self._answer is not None:
            self._answer.close()
        self._answer = None
