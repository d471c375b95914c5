"""Image files of folders, alone or paired by name; one rule for training, validation, shards and restoring."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.sources.fields import IMAGE_TYPES, is_side_file, suffix_of
from data_pipelines.sources.shard import FileShard
from vosr.core.files.listing import walk
from vosr.imaging.formats import SUFFIXES, UNREAD_SUFFIXES, by_suffix

log = logging.getLogger(__name__)


def image_files(folder: Path) -> list[str]:
    """Images below ``folder``, relative to it; what is passed over is counted in the log."""
    passed: Counter[str] = Counter()
    found, others = [], []
    for below, names in walk(folder, passed_over, passed=passed):
        images = [name for name in names if name.lower().endswith(SUFFIXES)]
        found += [(below / name).relative_to(folder).as_posix() for name in images]
        others += [below / name for name in names if not name.lower().endswith(SUFFIXES)]
    log_other_files(str(folder), len(found), others, passed)
    return sorted(found)


def passed_over(path: Path, why: str) -> None:
    """Log a path that cannot be listed."""
    log.warning("Passed over %s: %s.", path, why)


def log_other_files(title: str, images: int, others: Sequence[Path], passed: Counter[str]) -> None:
    """Count in the log what lies beside images: in a warning where there are images of a format that is not read."""
    unread = [path for path in others if path.suffix.lower() in UNREAD_SUFFIXES]
    if len(others) > len(unread):
        passed["no images"] += len(others) - len(unread)
    if passed:
        counts = ", ".join(f"{count} {what}" for what, count in passed.most_common(6))
        log.info("%s: %d images; passed over: %s.", title, images, counts)
    if unread:
        log.warning("%s: passed over %s: formats that are not read.", title, by_suffix(unread))


def folder_shard(folder: Path) -> FileShard:
    """The images of a folder.

    Raises:
        ValueError: there are none.
    """
    names = image_files(folder)
    if not names:
        raise holds_nothing(folder)
    return FileShard(str(folder), names)


def holds_nothing(source: object) -> ValueError:
    """What to say of a source without archives and images."""
    return ValueError(
        f"{source} holds neither tar shards nor images ({', '.join(sorted(IMAGE_TYPES))}); "
        "give a folder, a tar, a list (.txt), a pattern or a URL."
    )


def paired_shard(hq: Path, lq: Path) -> FileShard:
    """The images of ``hq`` that have a partner of the same name, less its type, in ``lq``.

    Raises:
        ValueError: a folder is not there, or nothing is paired, or a name is there twice.
    """
    high, low = _by_stem(hq), _by_stem(lq)
    both, alone = sorted(high.keys() & low.keys()), sorted(high.keys() ^ low.keys())
    if not both:
        raise ValueError(f"No file of {lq} has the name, without type, of one in {hq}.")
    if alone:
        log.warning("%d images have no partner and are left out: %s ...", len(alone), ", ".join(alone[:3]))
    return FileShard(str(hq), [high[stem] for stem in both], str(lq), [low[stem] for stem in both])


def _by_stem(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        raise ValueError(f"No folder {folder}: pairs are two folders of images, or members of shards.")
    names = image_files(folder)
    named = {name.rpartition(".")[0]: name for name in names}
    if len(named) < len(names):
        twice = next(name for name in names if name not in named.values())
        raise ValueError(
            f"{folder / twice} has the name, without type, of another file; pairs are found by that name."
        )
    return named


def listed_files(paths: list[Path], root: Path) -> FileShard:
    """Files that were named one by one."""
    return FileShard(str(root), [_relative(path, root) for path in paths])


def is_image_file(path: Path) -> bool:
    """Whether a path is an image by its name, and no side file."""
    return suffix_of(path.name) in IMAGE_TYPES and not is_side_file(path.name)


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.absolute().as_posix()
