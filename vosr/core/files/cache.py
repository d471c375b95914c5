"""Where this user's own notes and made files are kept."""

import os
import sys
from pathlib import Path


def cache_root() -> Path:
    """``$VOSR_CACHE``, else the platform's cache folder for this user."""
    if os.environ.get("VOSR_CACHE"):
        return Path(os.environ["VOSR_CACHE"]).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "vosr"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "vosr"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vosr"
