"""Images below a folder."""

from collections.abc import Iterator
from pathlib import Path

from vosr.core.files.listing import Complain, walk
from vosr.imaging.formats import SUFFIXES


def images_below(root: Path, leave_out: Path | None, complain: Complain) -> Iterator[tuple[Path, list[Path]]]:
    """Folders that hold images, each relative to ``root`` with its images, in the order of names.

    Hidden files and folders are passed over, links to folders are followed once.

    Args:
        root: a folder.
        leave_out: a folder that is not entered, nor what lies in it (the output, where it can be reached from
            ``root``, also by a link).
        complain: told of what cannot be listed.
    """
    outside = None if leave_out is None or _within(root, leave_out) else leave_out
    for folder, names in walk(root, complain, lambda folder: outside is None or not _within(folder, outside)):
        images = [folder / name for name in names if name.lower().endswith(SUFFIXES)]
        if images:
            yield folder.relative_to(root), images


def _within(folder: Path, outer: Path) -> bool:
    """Whether ``folder`` is ``outer`` or lies in it, links resolved."""
    return folder.resolve().is_relative_to(outer.resolve())
