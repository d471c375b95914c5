"""From what a user types to shards that can be counted, and streams that cannot."""

import difflib
import glob
import logging
import posixpath
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from braceexpand import braceexpand

from data_pipelines.safety.places import indexed_place, is_remote, listed_place, local_place
from data_pipelines.sources.fetch import gives_ranges, local_path, open_stream
from data_pipelines.sources.fields import KeyRule
from data_pipelines.sources.files import (
    folder_shard,
    holds_nothing,
    is_image_file,
    listed_files,
    log_other_files,
    passed_over,
)
from data_pipelines.sources.index import INDEX_NAME, read_index, scanned
from data_pipelines.sources.shard import Shard
from vosr.core.files.listing import walk
from vosr.core.files.regular import read_regular
from vosr.imaging.formats import SUFFIXES, by_suffix

log = logging.getLogger(__name__)

COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
ARCHIVES = (".tar", *COMPRESSED)
_LARGEST_INDEX = 1 << 30


@dataclass
class Located:
    """What one name stands for.

    Attributes:
        shards: can be counted and read by number.
        streams: archives that are only read from their beginning: paths, URLs or pipes.
    """

    shards: list[Shard] = field(default_factory=list)
    streams: list[str] = field(default_factory=list)

    def add(self, other: "Located") -> None:
        """Take in another name's."""
        self.shards += other.shards
        self.streams += other.streams


def locate(source: str, rule: KeyRule = "sample") -> Located:
    """Shards and streams of one name.

    Args:
        source: folder of tar shards (with or without ``index.json``), folder of images (searched
            recursively), tar archive, image, text file that lists either, ``*`` or ``{000..127}`` pattern,
            or a URL (``http:``, ``https:``, ``pipe:``, ``s3:``, ``gs:``, ``hf:`` ...) of an archive or index.
        rule: what forms a sample of an archive.

    Raises:
        ValueError: nothing is there.
    """
    found = Located()
    for one in [source] if source.startswith("pipe:") and "{" not in source else braceexpand(source):
        found.add(_locate_remote(one, rule) if is_remote(one) else _locate_local(one, rule))
    return found


def _locate_remote(url: str, rule: KeyRule) -> Located:
    if url.endswith("/"):
        url += INDEX_NAME
    if not url.endswith(INDEX_NAME) or url.startswith("pipe:"):
        return Located(streams=[url])
    folder = posixpath.dirname(url)
    try:
        with open_stream(url) as stream:
            text = stream.read(_LARGEST_INDEX).decode()
    except (OSError, UnicodeDecodeError) as error:
        example = f"{folder}/{{000..127}}.tar"
        raise ValueError(f"No shard index at {url} ({error}); name the shards, such as {example}.") from error
    entries = [entry for entry in read_index(text, url) if entry.samples]
    places = [indexed_place(entry.name, folder) for entry in entries]
    if rule == "sample" and entries and all(e.blocks is not None for e in entries) and _ranges(places[0]):
        return Located([entry.shard(place) for entry, place in zip(entries, places)])
    return Located(streams=places)


def _ranges(place: str) -> bool:
    try:
        return gives_ranges(place)
    except OSError as error:
        log.warning("%s: %s", place, error)
        return True  # that shard may be lost; each is judged when it is read


def _locate_local(source: str, rule: KeyRule) -> Located:
    path = local_path(source)
    if path.is_dir():
        return _locate_folder(path, rule)
    if path.name == INDEX_NAME and path.is_file():
        return _indexed(path, rule)
    if path.is_file():
        return (
            _locate_listed(path, rule)
            if path.suffix == ".txt"
            else _from_paths([path], path.parent, source, rule)
        )
    matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))  # noqa: PTH207
    if not matches:
        raise ValueError(_not_found(source, path))
    found = Located()
    for match in matches:
        if match.is_dir():
            found.add(_locate_folder(match, rule))
    files = [match for match in matches if not match.is_dir()]
    if files:
        found.add(_from_paths(files, Path(), source, rule))
    return found


def _locate_folder(folder: Path, rule: KeyRule) -> Located:
    if (folder / INDEX_NAME).is_file():
        return _indexed(folder / INDEX_NAME, rule)
    archives: list[Path] = []
    others: list[Path] = []
    for below, names in walk(folder, passed_over):
        archives += [below / name for name in names if name.endswith(ARCHIVES)]
        others += [below / name for name in names if name.lower().endswith(SUFFIXES)]
    if not archives:
        return Located([folder_shard(folder)])
    if others:
        log.warning("%s: passed over %s beside its archives.", folder, by_suffix(others))
    return _archives(sorted(archives), rule)


def _locate_listed(path: Path, rule: KeyRule) -> Located:
    """Lines of a list file are paths or URLs, never commands."""
    lines = [line.strip() for line in read_regular(path).decode(errors="surrogateescape").splitlines()]
    places = [listed_place(line, path.parent) for line in lines if line and not line.startswith("#")]
    local = [Path(place) for place in places if not is_remote(place)]
    remote = [place for place in places if is_remote(place)]
    found = _from_paths(local, path.parent, str(path), rule) if local or not remote else Located()
    found.streams += remote
    return found


def _from_paths(paths: Sequence[Path], root: Path, source: str, rule: KeyRule) -> Located:
    archives = [path for path in paths if path.name.endswith(ARCHIVES)]
    found = _archives(archives, rule)
    images = [path for path in paths if is_image_file(path)]
    if len(images) + len(archives) < len(paths):
        known = {*images, *archives}
        log_other_files(source, len(images), [path for path in paths if path not in known], Counter())
    if images:
        found.shards.append(listed_files(images, root))
    if not found.shards and not found.streams:
        raise holds_nothing(source)
    return found


def _archives(paths: Sequence[Path], rule: KeyRule) -> Located:
    """Plain archives are indexed; compressed ones can only be read from their beginning."""
    plain = [path for path in paths if not path.name.endswith(COMPRESSED)]
    shards: list[Shard] = [*scanned(plain, rule)]
    return Located(shards, [local_place(path) for path in paths if path.name.endswith(COMPRESSED)])


def _indexed(path: Path, rule: KeyRule) -> Located:
    try:
        text = read_regular(path).decode()
        entries = [entry for entry in read_index(text, str(path)) if entry.samples]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"Cannot read {path}: {error}.") from error
    found: list[Shard] = []
    for entry in entries:
        archive = Path(indexed_place(entry.name, str(path.parent)))
        whole = archive.is_file() and archive.stat().st_size == entry.bytes
        if entry.blocks is not None and rule == "sample" and (whole or not archive.is_file()):
            found.append(entry.shard(local_place(archive)))
            continue
        (shard,) = scanned([archive], rule)
        if len(shard) != entry.samples and rule == "sample":
            log.warning("%s: %d samples where %s has %d.", archive, len(shard), path.name, entry.samples)
        found.append(replace(shard, sha256=entry.sha256))
    return Located(found)


def _not_found(source: str, path: Path) -> str:
    parent = next((p for p in path.parents if p.is_dir()), Path())
    near = difflib.get_close_matches(path.name, [p.name for p in parent.iterdir()], n=1)
    hint = (
        f" Did you mean {parent / near[0]}?"
        if near
        else f" {parent} is the last folder on the way that exists."
    )
    return f"No data at {source!r}.{hint}"
