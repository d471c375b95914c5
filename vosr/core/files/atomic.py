"""Files and folders that are complete or absent."""

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

_BEGIN = 200
"""Bytes of a file's name with which its temporary name begins."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it; nothing stays behind on failure."""
    _written(path, write, lambda temporary: temporary.replace(path))


def write_once(path: Path, write: Callable[[Path], object]) -> None:
    """As :func:`write_atomically`, but a file that is at ``path`` by then stays: others may have begun to read it."""

    def keep_first(temporary: Path) -> None:
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            pass
        except OSError:  # a file system without links, where two writers may still meet within this moment
            if not path.exists():
                temporary.replace(path)
        temporary.unlink(missing_ok=True)

    _written(path, write, keep_first)


def _written(path: Path, write: Callable[[Path], object], place: Callable[[Path], object]) -> None:
    begin = path.name
    while len(os.fsencode(begin)) > _BEGIN:  # names have 255 bytes at most, and this one gets some more
        begin = begin[:-1]
    temporary = _created(path.parent, begin)
    try:
        write(temporary)
        place(temporary)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _created(folder: Path, begin: str) -> Path:
    """A new empty file, with the permissions that the umask leaves."""
    while True:
        path = folder / f".{begin}.{secrets.token_hex(4)}.tmp"
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            continue
        return path


def put_in_place(temporary: Path, path: Path) -> None:
    """Rename a finished file or folder to ``path``; what stood there, of either kind, is removed afterwards."""
    if not path.exists():
        temporary.rename(path)
        return
    old = path.with_name(f".{path.name}.old.tmp")
    remove(old)
    path.rename(old)
    temporary.rename(path)
    remove(old)


def remove(path: Path) -> None:
    """Remove a file or folder if it is there; under its name it goes at once, not piece by piece."""
    if path.is_dir() and not path.name.startswith("."):
        path = path.rename(path.with_name(f".{path.name}.removed.tmp"))
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files and folders that a killed process left anywhere in ``folder``."""
    for leftover in list(folder.rglob(".*.tmp")):
        remove(leftover)
