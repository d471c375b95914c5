"""Differences between the configuration of a continued run and that of its beginning."""

from collections.abc import Iterator
from typing import Any

_DIFFERS = ("model", "data")
_MOST_SHOWN = 8


def differences(begun: Any, given: Any) -> list[str]:
    """Keys of the model and the data whose values differ, each with both values."""
    old, new = (
        dict(pair for part in _DIFFERS for pair in _flat(part, each.get(part))) for each in (begun, given)
    )
    keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    differing = [f"{key} {old.get(key)} -> {new.get(key)}" for key in keys[:_MOST_SHOWN]]
    return differing + ([f"{len(keys) - _MOST_SHOWN} more"] if len(keys) > _MOST_SHOWN else [])


def _flat(key: str, value: Any) -> Iterator[tuple[str, str]]:
    value = value.as_dict() if hasattr(value, "as_dict") else value  # jsonargparse's own, also in lists
    if isinstance(value, list | tuple):
        value = {str(i): each for i, each in enumerate(value)}
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _flat(key if name == "init_args" else f"{key}.{name}", each)
    elif value is not None:
        yield key, str(value)
