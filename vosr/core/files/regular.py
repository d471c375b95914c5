"""Reading files that others named: regular files only, and no more bytes than make sense."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 2**30
"""Bytes of one encoded image or member that are read at most."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def open_regular(path: str | Path) -> BinaryIO:
    """Open a file for reading; never waits for a pipe's other end and never reads a device.

    Raises:
        OSError: it is not there, may not be read, or is no regular file (links are followed).
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        kind = stat.S_IFMT(os.fstat(handle).st_mode)
        if kind != stat.S_IFREG:
            raise OSError(f"{os.fspath(path)} is {_KINDS.get(kind, 'no file')}, not a regular file")
        return open(path, "rb", opener=lambda *_: handle)
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: str | Path, most: int = MOST_BYTES) -> bytes:
    """Content of a regular file.

    Raises:
        OSError: as :func:`open_regular`, or the file is larger than ``most`` bytes.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(most + 1) if size <= most else b""
        if size > most or len(content) > most:
            raise OSError(f"{os.fspath(path)} has more than {most / 2**20:.0f} MiB")
        return content
