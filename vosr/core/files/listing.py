"""Files below a folder, folder by folder, so that a million of them are never held at once."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

Complain = Callable[[Path, str], None]
SIDE_NAMES = (".", "__MACOSX", "@eaDir")
"""Beginnings of the names of files and folders that nobody means: hidden ones, and those of tools."""


def walk(
    root: Path,
    complain: Complain,
    enter: Callable[[Path], bool] = lambda folder: True,
    passed: Counter[str] | None = None,
) -> Iterator[tuple[Path, list[str]]]:
    """Folders from ``root`` down, each with the names of its regular files, in the order of names.

    Hidden files and folders and those of tools are passed over, links to folders are followed once. What vanishes
    while it is listed, or cannot be asked for (a link that points to itself), is reported and does not end the rest.

    Args:
        root: a folder.
        complain: called for folders and entries that cannot be listed, with the reason.
        enter: whether a folder is entered; what lies below it is left out with it.
        passed: counts what is passed over, by kind.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen or not enter(folder):
                continue
            seen.add((status.st_dev, status.st_ino))
            names, folders = _listed(folder, complain, Counter() if passed is None else passed)
        except OSError as error:
            complain(folder, error.strerror or str(error))
            continue
        if names:
            yield folder, names
        waiting += [folder / name for name in reversed(folders)]


def _listed(folder: Path, complain: Complain, passed: Counter[str]) -> tuple[list[str], list[str]]:
    """Sorted names of files and of folders."""
    names, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(SIDE_NAMES):
                passed["hidden or of tools"] += 1
                continue
            try:
                if entry.is_file():
                    names.append(entry.name)
                elif entry.is_dir():
                    folders.append(entry.name)
                else:
                    passed["no regular files"] += 1
            except OSError as error:
                complain(folder / entry.name, error.strerror or str(error))
    return sorted(names), sorted(folders)
