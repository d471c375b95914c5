"""From what a user types to a list of shards."""

import difflib
import glob
import logging
import posixpath
from pathlib import Path

from braceexpand import braceexpand

from data_pipelines.safety.places import indexed_place, is_remote, listed_place, local_place
from data_pipelines.sources.index import INDEX_NAME, IndexEntry, read_index
from data_pipelines.sources.shard import IMAGE_SUFFIXES, Shard, suffix_of
from data_pipelines.sources.transport import open_url
from vosr.core.files.listing import walk
from vosr.core.files.regular import read_regular

log = logging.getLogger(__name__)

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MOST_INDEX = 2**28
"""Bytes of an index that are read."""
FILES_PER_SHARD = 64
"""Plain files are read in groups of this size, which then are shuffled like shards."""


def locate(source: str) -> list[Shard]:
    """Shards of one source.

    Args:
        source: folder of tar shards (with or without ``index.json``), folder of images (searched
            recursively), tar archive, image, text file that lists either, ``*`` or ``{000..127}`` pattern,
            or a URL (``http:``, ``https:``, ``pipe:``, ``s3:``, ``gs:``, ``hf:`` ...) of an archive or index.

    Raises:
        ValueError: nothing is there.
    """
    shards: list[Shard] = []
    for one in [source] if source.startswith("pipe:") and "{" not in source else braceexpand(source):
        shards += _locate_remote(one) if is_remote(one) else _locate_local(one)
    return shards


def _locate_remote(url: str) -> list[Shard]:
    if url.endswith("/"):
        url += INDEX_NAME
    if not url.endswith(INDEX_NAME) or url.startswith("pipe:"):
        return [Shard(url)]
    try:
        with open_url(url) as stream:
            text = stream.read(MOST_INDEX).decode(errors="surrogateescape")
    except OSError as error:
        example = f"{posixpath.dirname(url)}/{{000..127}}.tar"
        raise ValueError(f"No shard index at {url} ({error}); name the shards, such as {example}.") from error
    return [_shard(entry, posixpath.dirname(url)) for entry in read_index(text, url)]


def _locate_local(source: str) -> list[Shard]:
    path = Path(source.removeprefix("file://")).expanduser()
    if path.is_dir():
        return _locate_folder(path)
    if path.name == INDEX_NAME and path.is_file():
        return _indexed(path)
    if path.is_file():
        return _locate_listed(path) if path.suffix == ".txt" else _from_paths([path], path.parent, source)
    matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))  # noqa: PTH207
    if matches:
        return [
            shard for match in matches if match.is_dir() for shard in _locate_folder(match)
        ] + _from_paths([match for match in matches if match.is_file()], Path(), source, empty_is_fine=True)
    raise ValueError(_not_found(source, path))


def _locate_folder(folder: Path) -> list[Shard]:
    if (folder / INDEX_NAME).is_file():
        return _indexed(folder / INDEX_NAME)
    files = [below / name for below, names in walk(folder, _passed_over) for name in names]
    archives = sorted(path for path in files if path.name.endswith(ARCHIVES))
    if archives:
        return [Shard(local_place(path)) for path in archives]
    images = sorted(path for path in files if suffix_of(path.name) in IMAGE_SUFFIXES)
    return _from_paths(images, folder, str(folder))


def _passed_over(path: Path, why: str) -> None:
    log.warning("Passed over %s: %s.", path, why)


def _locate_listed(path: Path) -> list[Shard]:
    text = read_regular(path).decode(errors="surrogateescape")
    lines = [line.strip() for line in text.splitlines()]
    places = [listed_place(line, path.parent) for line in lines if line and not line.startswith("#")]
    remote = [Shard(place) for place in places if is_remote(place)]
    local = [Path(place) for place in places if not is_remote(place)]
    return remote + _from_paths(local, path.parent, str(path), empty_is_fine=bool(remote))


def _from_paths(paths: list[Path], root: Path, source: str, empty_is_fine: bool = False) -> list[Shard]:
    archives = [Shard(local_place(path)) for path in paths if path.name.endswith(ARCHIVES)]
    images = [_relative(path, root) for path in paths if suffix_of(path.name) in IMAGE_SUFFIXES]
    if not archives and not images and not empty_is_fine:
        raise ValueError(
            f"{source} holds neither tar shards nor images ({', '.join(IMAGE_SUFFIXES)}); "
            "give a folder, a tar, a list (.txt), a pattern or a URL."
        )
    groups = [tuple(images[i : i + FILES_PER_SHARD]) for i in range(0, len(images), FILES_PER_SHARD)]
    return archives + [Shard(str(root), len(group), group) for group in groups]


def _indexed(path: Path) -> list[Shard]:
    text = read_regular(path).decode(errors="surrogateescape")
    return [_shard(entry, str(path.parent)) for entry in read_index(text, str(path))]


def _shard(entry: IndexEntry, folder: str) -> Shard:
    promised = (entry.bytes, entry.sha256)
    return Shard(indexed_place(entry.name, folder), entry.samples, promised=promised)


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _not_found(source: str, path: Path) -> str:
    parent = next((p for p in path.parents if p.is_dir()), Path())
    near = difflib.get_close_matches(path.name, [p.name for p in parent.iterdir()], n=1)
    hint = (
        f" Did you mean {parent / near[0]}?"
        if near
        else f" {parent} is the last folder on the way that exists."
    )
    return f"No data at {source!r}.{hint}"
