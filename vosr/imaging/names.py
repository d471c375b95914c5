"""File names that a file system takes."""

import hashlib
import os
from pathlib import PurePath

LONGEST = 255
"""Bytes of a name on the usual file systems."""


def fitting(name: str, room: int = 0) -> str:
    """``name``, shortened if need be so that ``room`` bytes more fit; a checksum keeps shortened names apart."""
    if len(os.fsencode(name)) + room <= LONGEST:
        return name
    suffix = PurePath(name).suffix
    mark = "~" + hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    return shortened(name, LONGEST - room - len(os.fsencode(suffix)) - len(mark)) + mark + suffix


def shortened(name: str, longest: int) -> str:
    """The beginning of ``name`` that takes at most ``longest`` bytes, no character cut in two."""
    while len(os.fsencode(name)) > longest:
        name = name[:-1]
    return name
