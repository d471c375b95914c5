"""Images below a folder, folder by folder, so that a million of them are never held at once."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from vosr.imaging.formats import SUFFIXES

Complain = Callable[[Path, str], None]


def images_below(root: Path, leave_out: Path | None, complain: Complain) -> Iterator[tuple[Path, list[Path]]]:
    """Folders that hold images, each relative to ``root`` with its images, in the order of names.

    Hidden files and folders are passed over, links to folders are followed once.

    Args:
        root: a folder.
        leave_out: a folder that is not entered (the output, where it lies within ``root``).
        complain: told of folders that cannot be listed.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen or (leave_out is not None and _same(folder, leave_out)):
            continue
        seen.add((status.st_dev, status.st_ino))
        try:
            names, folders = _listed(folder)
        except OSError as error:
            complain(folder, error.strerror or str(error))
            continue
        if names:
            yield folder.relative_to(root), [folder / name for name in names]
        waiting += [folder / name for name in reversed(folders)]


def _listed(folder: Path) -> tuple[list[str], list[str]]:
    """Sorted names of images and of folders."""
    names, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith(SUFFIXES) and entry.is_file():
                names.append(entry.name)
            elif entry.is_dir():
                folders.append(entry.name)
    return sorted(names), sorted(folders)


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)
