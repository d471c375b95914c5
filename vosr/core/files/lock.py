"""One process at a time in a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder; it is free again when the process ends, however that comes.

    Where the file system or the operating system knows no such locks, nothing is held.

    Raises:
        ValueError: another process holds it.
    """
    handle = _held(folder)
    try:
        yield
    finally:
        if handle is not None:
            with suppress(OSError):
                (folder / LOCK).unlink()
            os.close(handle)


def _held(folder: Path) -> int | None:
    if fcntl is None:
        return None
    path = folder / LOCK
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise ValueError(
                f"Another process is writing in {folder}; wait for it, or give another folder."
            ) from error
        except OSError:  # such as a network file system without locks
            os.close(handle)
            return None
        if _is_at(path, handle):
            return handle
        os.close(handle)  # the one before removed the file meanwhile


def _is_at(path: Path, handle: int) -> bool:
    with suppress(OSError):
        return os.path.samestat(path.stat(), os.fstat(handle))
    return False
