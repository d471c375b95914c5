"""Images below a folder."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from vosr.core.files.listing import Complain, walk
from vosr.imaging.formats import SUFFIXES, UNREAD_SUFFIXES
from vosr.jobs.manifest import MANIFEST

log = logging.getLogger(__name__)
_told: set[Path] = set()


def images_below(
    root: Path,
    leave_out: Path | None,
    complain: Complain,
    unread: Callable[[Path], object] = lambda path: None,
) -> Iterator[tuple[Path, list[Path]]]:
    """Folders that hold images, each relative to ``root`` with its images, in the order of names.

    Hidden files and folders and those that hold results are passed over, links to folders are followed once.

    Args:
        root: a folder.
        leave_out: a folder that is not entered, nor what lies in it (the output, where it can be reached from
            ``root``, also by a link).
        complain: called for what cannot be listed.
        unread: called for images whose format is not read.
    """
    outside = None if leave_out is None or _within(root, leave_out) else leave_out

    def enter(folder: Path) -> bool:
        if outside is not None and _within(folder, outside):
            return False
        return folder == root or not _holds_results(folder)

    for folder, names in walk(root, complain, enter):
        images = [folder / name for name in names if name.lower().endswith(SUFFIXES)]
        for name in names:
            if name.lower().endswith(UNREAD_SUFFIXES):
                unread(folder / name)
        if images:
            yield folder.relative_to(root), images


def _holds_results(folder: Path) -> bool:
    found = (folder / MANIFEST).exists()
    if found and folder not in _told:
        _told.add(folder)
        log.warning("%s holds results of restore (%s) and is passed over.", folder, MANIFEST)
    return found


def _within(folder: Path, outer: Path) -> bool:
    """Whether ``folder`` is ``outer`` or lies in it, links resolved."""
    return folder.resolve().is_relative_to(outer.resolve())
