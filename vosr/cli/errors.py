"""One clear sentence instead of a usage dump or a stack trace."""

import difflib
import inspect
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from jsonargparse import ArgumentParser

from vosr.core.files.shown import shown

INTERRUPTED = 130
"""Exit status after Ctrl-C, 128 + SIGINT; after SIGTERM, ``main`` makes 143 of it."""


def fail(message: str, status: int = 2) -> NoReturn:
    """Write ``error: message`` to standard error and exit."""
    sys.stderr.write(f"error: {' '.join(shown(message).split())}\n")
    sys.exit(status)


class OneLineParser(ArgumentParser):
    """Parser whose errors are one sentence, with the valid choices where a key is wrong."""

    every_key = "--help"
    """Option that lists all keys."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **({"allow_abbrev": False} | kwargs))  # also those for parts of a key

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        fail(explain(" ".join(str(message).split()), self.keys(), self.own_keys(), self.every_key))

    def keys(self) -> set[str]:
        """Last part of every key that this parser knows."""
        return {str(action.dest).rpartition(".")[2] for action in self._actions} | _component_keys()

    def own_keys(self) -> list[str]:
        """Keys of this parser itself; of its first subcommand's, where it has such: config files hold those."""
        parsers = [next(iter(a.choices.values())) for a in self._actions if isinstance(a.choices, dict)]
        dests = [str(action.dest) for action in (parsers[0] if parsers else self)._actions]
        return [dest for dest in dests if not dest.endswith("help") and not dest.startswith("print_")]


# What jsonargparse 4.53 and argparse of Python 3.11 say; "Key" is jsonargparse 4.41, the oldest that is allowed.
UNKNOWN_KEY = r"(?:unrecognized arguments:|[Oo]ption|Key) ['-]*([\w.]+)"
WRONG_BASE = r"Import path ([\w.]+) does not correspond to a subclass of (\w+)"
NO_CLASS = r"Expected a dot import path string: (\S+)"
NO_MODEL = r"arguments are required: .*(?:data|model)"
FIRST_OF_UNION = r'^(Parser key "[\w.]+":)?.*?Errors: - (.*?) - (?:Expected|Not of type).*'
LITERAL = r"Expected a typing\.Literal\[(.*?)\]"
# lightning-utilities 0.15, within a message of jsonargparse 4.53
NOT_INSTALLED = r"class_path '[\w.]*?(\w+)': Requirement '([^']+)' not met"
FEW = 20
"""Valid keys that one line may hold."""


def explain(message: str, keys: set[str], own: Sequence[str] = (), every_key: str = "--help") -> str:
    """The part of a jsonargparse message that a user can act on.

    Args:
        message: in one line.
        keys: last parts of all keys that could be meant.
        own: whole keys of the parser that complains.
        every_key: the option that lists them.
    """
    if found := re.search(UNKNOWN_KEY, message):
        return _unknown_key(found.group(1), keys, own, every_key)
    if found := re.search(WRONG_BASE, message):
        return _wrong_base(*found.groups())
    if re.search(NO_MODEL, message):
        return "No model and data: give a config, such as --config distill or --config teacher."
    if found := re.search(NOT_INSTALLED, message):
        return f"{found.group(1)} needs a package that is not installed: pip install '{found.group(2)}'."
    if found := re.search(NO_CLASS, message):
        return _no_class(found.group(1), keys)
    reason = re.sub(FIRST_OF_UNION, r"\1 \2", message).strip()
    return re.sub(LITERAL, r"Expected one of \1", reason)


def _unknown_key(key: str, keys: set[str], own: Sequence[str], every_key: str) -> str:
    group, _, leaf = key.rpartition(".")
    beside = sorted({name.rpartition(".")[2] for name in own if name.rpartition(".")[0] == group})
    near = difflib.get_close_matches(leaf, beside, n=1)
    near = near or difflib.get_close_matches(leaf, keys - {leaf}, n=1, cutoff=0.8)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    if 0 < len(beside) <= FEW:
        return f"Unknown key {key!r}.{hint} Valid here: {', '.join(beside)}."
    return f"Unknown key {key!r}.{hint} The command's {every_key} lists the valid ones."


def _no_class(name: str, keys: set[str]) -> str:
    near = difflib.get_close_matches(name, [key for key in keys if key[:1].isupper()], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"There is no class {name!r}.{hint} Give a registered name (python main.py components) or a dotted path."


def _wrong_base(path: str, base: str) -> str:
    from vosr.core.registry import REGISTRIES

    fitting = [
        name
        for registry in REGISTRIES.values()
        for name, cls in registry
        if base in (parent.__name__ for parent in cls.__mro__)
    ]
    names = f" Those that are: {', '.join(fitting)}." if fitting else ""
    return f"{path.rpartition('.')[2]} is no {base}, which is needed here.{names}"


def _component_keys() -> set[str]:
    from vosr.core.registry import REGISTRIES

    classes = [cls for registry in REGISTRIES.values() for _, cls in registry]
    return {name for cls in classes for name in inspect.signature(cls.__init__).parameters} - {"self"}
