"""``config.json`` of a model folder, which anybody may have written: read, and checked before it is believed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from vosr.checkpoints.autoencoder_folder import is_autoencoder, is_light_decoder
from vosr.core.files.regular import read_regular
from vosr.core.files.shown import reason, shown
from vosr.core.renamed import rename

T = TypeVar("T")
FORMAT = "vosr/1"
PARTS = ("backbone", "autoencoder", "encoder", "guidance")
_MOST_BYTES = 2**22
_MOST = 2**24
"""Largest number that means something in a model's arguments."""


def read_record(path: Path) -> dict[str, Any]:
    """The content of ``config.json``, of the right shape.

    Raises:
        ValueError: it is no JSON, of another format, or lacks a part; or a number in it is out of all proportion.
        OSError: it cannot be read.
    """
    try:
        record = rename(json.loads(read_regular(path, _MOST_BYTES), parse_constant=_no_number))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {reason(error)}.") from error
    if isinstance(record, dict) and (is_autoencoder(record) or is_light_decoder(record)):
        use = "--model.autoencoder.weights of fit" if is_autoencoder(record) else "--light_decoder"
        raise ValueError(f"{path.parent} restores nothing by itself: it is for {use}.")
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format") if isinstance(record, dict) else None
        raise ValueError(f"{path} has format {shown(repr(found))[:80]}; this version reads {FORMAT!r}.")
    for part in PARTS:
        described: Any = record.get(part)
        if not isinstance(described, dict) or [type(described.get(k)) for k in ("name", "args")] != [
            str,
            dict,
        ]:
            raise ValueError(f"{path}: {part!r} must hold a name and args.")
        _check_numbers(path, part, described["args"])
    return record


def built(path: Path, key: str, cls: type[T], given: Any) -> T:
    """A dataclass of plain values, each of the type that the class declares.

    Args:
        path: of the record, for the message.
        key: of the values in it.
        cls: the dataclass.
        given: its values.

    Raises:
        ValueError: another type, or a name that the class does not have.
    """
    names = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    if not isinstance(given, dict) or not given.keys() <= names:
        unknown = sorted(given.keys() - names) if isinstance(given, dict) else []
        raise ValueError(f"{path}: {key!r} must hold {', '.join(sorted(names))}{_but(unknown)}.")
    hints = get_type_hints(cls)
    for name, value in given.items():
        if not _fits(value, hints[name]):
            raise ValueError(f"{path}: {key}.{name} cannot be {shown(repr(value))[:80]}.")
    with explained(path):
        return cls(**given)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Whatever a constructor makes of arguments that it never expected becomes a ValueError that names ``path``.

    Raises:
        ValueError: with the cause.
    """
    try:
        yield
    except (ValueError, OSError):
        raise
    except Exception as error:
        raise ValueError(
            f"{path} describes no model that this version can build: {reason(error)}."
        ) from error


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return isinstance(value, str) and value in get_args(hint)
    if hint is int:
        return type(value) is int and 1 <= value <= _MOST
    if hint is float:
        return type(value) in (int, float) and abs(value) <= _MOST
    if hint is Any:
        return True
    if get_origin(hint) is dict:
        of = get_args(hint)[1]
        return isinstance(value, dict) and all(isinstance(k, str) and _fits(v, of) for k, v in value.items())
    if get_args(hint):
        return any(value is None if one is type(None) else _fits(value, one) for one in get_args(hint))
    return isinstance(value, hint)


def _check_numbers(path: Path, part: str, value: Any) -> None:
    if isinstance(value, int | float) and not abs(value) <= _MOST:
        raise ValueError(f"{path}: {part} has a number that is too large, {value!s:.20}.")
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_numbers(path, part, one)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _but(unknown: list[str]) -> str:
    return f", not {', '.join(map(shown, unknown[:3]))}" if unknown else ""
