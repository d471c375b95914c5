"""Files of weights that ``config.json`` names: inside its folder, or anywhere where this user wrote the record."""

import hashlib
import logging
import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any

from vosr.core.files.atomic import write_atomically
from vosr.core.files.cache import cache_root
from vosr.core.files.shown import shown

log = logging.getLogger(__name__)

KEYS = ("weights", "light_decoder")
"""Arguments of components that name a file, a folder or a hub id; "auto" names none."""
PARTS = "parts"
"""Folder in a model folder for the files that it holds."""


def spell_out(record: dict[str, Any]) -> bool:
    """Make paths absolute, wherever the record is read from; whether there are any."""
    found = False
    for args, key, value in _places(record):
        if _exists(value):
            args[key], found = str(Path(value).expanduser().absolute()), True
    return found


def remember(record: Path) -> None:
    """Keep in this user's cache that the record is their own, so that it may name files outside its folder."""
    try:
        mark = _mark(record.read_bytes())
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        log.debug("%s is not remembered: %s", record, error)


def confine(record: dict[str, Any], path: Path, trusted: bool) -> None:
    """Look for the files of a record inside its folder, and refuse others unless it is one's own.

    Args:
        record: changed in place: files inside its folder get their whole path.
        path: of the record.
        trusted: whether the caller vouches for it.

    Raises:
        ValueError: a file outside the folder.
    """
    own = trusted or _mark(path.read_bytes()).exists()
    for args, key, value in _places(record):
        inside = not _leads_out(value) and (path.parent / value).exists()
        if inside:
            args[key] = str(path.parent / value)
        elif not own and (_leads_out(value) or _exists(value)):
            raise ValueError(
                f"{path} takes {key} from {shown(value)!r}, a file outside its folder, and this user has not written "
                "it. If you trust where it comes from, give --trust_remote_code (trust_remote_code=True); a folder "
                "that `export` writes holds all of its files."
            )


def gather(record: dict[str, Any], folder: Path) -> None:
    """Copy the files that a record names into ``folder`` and name them relative to it.

    Places that are folders are left out: whoever reads the record finds those weights as any published ones.
    """
    for args, key, value in list(_places(record)):
        source = Path(value).expanduser()
        if source.is_dir():
            args[key] = None
            log.warning(
                "%s does not hold the %s in %s, which are looked up and downloaded.", folder, key, source
            )
        elif source.is_file():
            target = folder / PARTS / _digest(str(source).encode())[:8] / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = source.with_name("config.json")  # diffusers' sizes of an autoencoder
            for one in (source, beside) if beside.is_file() else (source,):
                write_atomically(target.with_name(one.name), partial(shutil.copyfile, one))
            args[key] = target.relative_to(folder).as_posix()


def _places(value: Any) -> Iterator[tuple[dict[str, Any], str, str]]:
    if isinstance(value, dict):
        for key, one in list(value.items()):
            if key in KEYS and isinstance(one, str) and one != "auto":
                yield value, key, one
            else:
                yield from _places(one)
    elif isinstance(value, list):
        for one in value:
            yield from _places(one)


def _leads_out(value: str) -> bool:
    parts = re.split(r"[\\/]", value)
    return value.startswith(("/", "~", "\\")) or ".." in parts or PureWindowsPath(value).drive != ""


def _exists(value: str) -> bool:
    try:
        return Path(value).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # a name that no file can have, or ~nobody
        return False


def _mark(content: bytes) -> Path:
    return cache_root() / "own" / _digest(content)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
