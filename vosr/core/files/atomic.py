"""Files and folders that are complete or absent."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

_BEGIN = 200
"""Bytes of a file's name with which its temporary name begins."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it; nothing stays behind on failure."""
    begin = path.name
    while len(os.fsencode(begin)) > _BEGIN:  # names have 255 bytes at most, and this one gets some more
        begin = begin[:-1]
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{begin}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
