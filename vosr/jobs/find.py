"""Images below a folder, folder by folder, so that a million of them are never held at once."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from vosr.imaging.formats import SUFFIXES

Complain = Callable[[Path, str], None]
SIDE_NAMES = (".", "__MACOSX", "@eaDir")
"""Beginnings of the names of files and folders that nobody means: hidden ones, and those of tools."""


def images_below(
    root: Path, leave_out: Path | None, complain: Complain, passed: Counter[str] | None = None
) -> Iterator[tuple[Path, list[Path]]]:
    """Folders that hold images, each relative to ``root`` with its images, in the order of names.

    Hidden files and folders and those of tools are passed over, links to folders are followed once.

    Args:
        root: a folder.
        leave_out: a folder that is not entered (the output, where it lies within ``root``).
        complain: told of folders that cannot be listed.
        passed: counts what was passed over, by kind.
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
            names, folders = _listed(folder, Counter() if passed is None else passed)
        except OSError as error:
            complain(folder, error.strerror or str(error))
            continue
        if names:
            yield folder.relative_to(root), [folder / name for name in names]
        waiting += [folder / name for name in reversed(folders)]


def _listed(folder: Path, passed: Counter[str]) -> tuple[list[str], list[str]]:
    """Sorted names of images and of folders."""
    names, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            kind = _kind(entry)
            if kind == "image":
                names.append(entry.name)
            elif kind == "folder":
                folders.append(entry.name)
            else:
                passed[kind] += 1
    return sorted(names), sorted(folders)


def _kind(entry: os.DirEntry[str]) -> str:
    """Whether an entry is an image, a folder or what else."""
    if entry.name.startswith(SIDE_NAMES):
        return "hidden or of tools"
    try:
        if entry.is_dir():
            return "folder"
        if not entry.is_file():
            return "no regular files"
    except OSError:  # a link to itself
        return "unreadable"
    lower = entry.name.lower()
    return "image" if lower.endswith(SUFFIXES) else f"*{Path(lower).suffix}"


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)
