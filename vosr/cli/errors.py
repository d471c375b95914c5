"""One clear sentence instead of a usage dump or a stack trace."""

import difflib
import inspect
import re
import sys
from typing import NoReturn

from jsonargparse import ArgumentParser


def fail(message: str, status: int = 2) -> NoReturn:
    """Write ``error: message`` to standard error and exit."""
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    sys.exit(status)


class OneLineParser(ArgumentParser):
    """Parser whose errors are one sentence, with the nearest valid choice where a key is wrong."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        fail(explain(" ".join(str(message).split()), self.keys()))

    def keys(self) -> set[str]:
        """Last part of every key that this parser knows."""
        return {str(action.dest).rpartition(".")[2] for action in self._actions} | _component_keys()


UNKNOWN_KEY = (
    r"Option '([\w.]+)' is not accepted",
    r"[Kk]ey ['\"]([\w.]+)['\"] is not expected",
    r"[Uu]nrecognized arguments: -*([\w.]+)",
    r"No such option: -*([\w.]+)",
)
REASON_IN_UNION = r"Errors: - (.*?) - (?:Expected|Not of type)"


def explain(message: str, keys: set[str]) -> str:
    """The part of a jsonargparse message that a user can act on."""
    for pattern in UNKNOWN_KEY:
        found = re.search(pattern, message)
        if found:
            leaf = found.group(1).rpartition(".")[2]
            near = difflib.get_close_matches(leaf, keys, n=1, cutoff=0.6)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            return f"Unknown key {found.group(1)!r}.{hint} The command's --help lists the valid ones."
    inner = re.search(REASON_IN_UNION, message)
    return inner.group(1) if inner else message


def _component_keys() -> set[str]:
    from vosr.registries import REGISTRIES

    classes = [cls for registry in REGISTRIES.values() for _, cls in registry]
    return {name for cls in classes for name in inspect.signature(cls.__init__).parameters} - {"self"}
