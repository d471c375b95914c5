"""One clear sentence instead of a usage dump or a stack trace."""

import difflib
import re
import sys
from typing import Any, NoReturn

from jsonargparse import ArgumentParser


def fail(message: str, status: int = 2) -> NoReturn:
    """Write ``error: message`` to standard error and exit."""
    sys.stderr.write(f"error: {message}\n")
    sys.exit(status)


class OneLineParser(ArgumentParser):
    """Parser whose errors are one sentence, with the nearest valid choice where a name is wrong."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        fail(self._explain(" ".join(str(message).split())))

    def _explain(self, message: str) -> str:
        unknown = re.search(r"(?:Key|Option|key) ['\"]([\w.]+)['\"] is not expected", message) or re.search(
            r"[Uu]nrecognized arguments: --([\w.]+)", message
        )
        if unknown is None:
            return message
        key = unknown.group(1)
        leaf, known = key.rpartition(".")[2], self._known_keys()
        near = difflib.get_close_matches(leaf, {k.rpartition(".")[2] for k in known}, n=1, cutoff=0.6)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"Unknown key {key!r}.{hint} See --help for the valid ones."

    def _known_keys(self) -> list[str]:
        return [str(action.dest) for action in self._actions if isinstance(action.dest, str)]

    def exit(self, status: int = 0, message: str | None = None) -> Any:
        if message:
            sys.stderr.write(message)
        sys.exit(status)
