"""Files below a folder, folder by folder, so that a million of them are never held at once."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

Complain = Callable[[Path, str], None]


def walk(
    root: Path, complain: Complain, enter: Callable[[Path], bool] = lambda folder: True
) -> Iterator[tuple[Path, list[str]]]:
    """Folders from ``root`` down, each with the names of its regular files, in the order of names.

    Hidden files and folders are passed over, links to folders are followed once. What vanishes while it is listed, or
    cannot be asked for (a link that points to itself), is told and does not end the rest.

    Args:
        root: a folder.
        complain: told of folders and entries that cannot be listed, with the reason.
        enter: whether a folder is entered; what lies below it is left out with it.
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
            names, folders = _listed(folder, complain)
        except OSError as error:
            complain(folder, error.strerror or str(error))
            continue
        if names:
            yield folder, names
        waiting += [folder / name for name in reversed(folders)]


def _listed(folder: Path, complain: Complain) -> tuple[list[str], list[str]]:
    """Sorted names of files and of folders."""
    names, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                if entry.is_file():
                    names.append(entry.name)
                elif entry.is_dir():
                    folders.append(entry.name)
            except OSError as error:
                complain(folder / entry.name, error.strerror or str(error))
    return sorted(names), sorted(folders)
