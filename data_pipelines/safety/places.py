"""Where data lies: what a user spells may be a command, what a folder, a list or an index names never is."""

import os
import posixpath
import re
from pathlib import Path

_COMMAND = "pipe:"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
LISTED_SCHEMES = ("http", "https", "s3", "gs", "hf", "ais", "sftp", "ftps")
"""Stores that a list file may name: none of them runs what the URL says."""


def is_remote(place: str) -> bool:
    """Whether ``place``, as spelled in a config or on the command line, is a URL or a ``pipe:`` command."""
    return place.startswith(_COMMAND) or (_SCHEME.match(place) is not None and not _is_file_url(place))


def local_place(path: str | Path) -> str:
    """A path as text that :func:`is_remote` never takes for anything else, whatever the file is called.

    Example:
        >>> local_place("pipe:touch x;.tar"), local_place("/data/a.tar")
        ('./pipe:touch x;.tar', '/data/a.tar')
    """
    text = os.fspath(path)
    return text if os.path.isabs(text) else os.path.join(os.curdir, text)  # noqa: PTH117, PTH118  (Path drops ./)


def listed_place(line: str, folder: str | Path) -> str:
    """Place that a line of a list file names: a URL of a store, or a path relative to ``folder``; never a command.

    Args:
        line: of the list, without surrounding space.
        folder: of the list.

    Raises:
        ValueError: a URL whose scheme a list may not use.
    """
    found = _SCHEME.match(line)
    if found is None:
        return local_place(Path(folder, line))
    scheme = found[0].removesuffix("://").lower()
    if scheme == "file":
        return local_place(Path(folder, line[len(found[0]) :]))
    if scheme not in LISTED_SCHEMES:
        raise ValueError(
            f"A list may not name {line!r}: it takes paths and URLs ({', '.join(LISTED_SCHEMES)}). Commands "
            "(pipe:) are run only where a config or the command line spells them."
        )
    return line


def indexed_place(name: str, base: str) -> str:
    """Place of the shard that an index calls ``name``; it lies beside or below the index.

    Args:
        name: of the index's entry.
        base: URL or path of the index's folder.

    Raises:
        ValueError: a name that leads elsewhere.
    """
    parts = name.replace("\\", "/").split("/")
    if not name or "" in parts[:1] or ".." in parts or "\0" in name or Path(name).is_absolute():
        raise ValueError(
            f"The index in {base} names {name!r}, which is not beside it; write the shards again."
        )
    if is_remote(base):
        return posixpath.join(base, name)
    return local_place(Path(base, name))


def _is_file_url(place: str) -> bool:
    return place[:7].lower() == "file://"
