"""Temporary files of runs that were killed while they wrote."""

import os
import time
from pathlib import Path

_AGE = 3600.0
"""Seconds since the last byte; a file that another machine is writing is younger."""


def clean_listing(folder: Path) -> set[str]:
    """Delete what killed runs left in an output folder; gives the names of its other files."""
    names = set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not (entry.name.startswith(".") and entry.name.endswith(".tmp")):
                    names.add(entry.name)
                elif time.time() - entry.stat().st_mtime > _AGE:
                    Path(entry.path).unlink(missing_ok=True)
    except FileNotFoundError:  # the folder is made with its first image
        pass
    return names
