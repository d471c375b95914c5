"""What can be set on a component: its constructor's arguments, and what its docstring says of them."""

import inspect
import re
from dataclasses import dataclass, is_dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

REQUIRED = inspect.Parameter.empty
"""Default of an argument that has none."""


@dataclass(frozen=True)
class Argument:
    """One argument of a constructor.

    Attributes:
        name: of the argument.
        type: as YAML and the command line write its values.
        default: :data:`REQUIRED` where it has to be given.
        text: of the docstring.
    """

    name: str
    type: str
    default: Any
    text: str

    @property
    def value(self) -> str:
        """The default as it is typed; empty where there is none."""
        return "" if self.default is REQUIRED else typed(self.default)


def arguments_of(cls: type) -> list[Argument]:
    """Arguments of a class in their order."""
    from docstring_parser import parse  # comes with jsonargparse

    texts = {p.arg_name: " ".join((p.description or "").split()) for p in parse(cls.__doc__ or "").params}
    return [
        Argument(p.name, _type(p.annotation), p.default, _plain_text(texts.get(p.name, "")))
        for p in list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]


def description_of(cls: type) -> str:
    """What a docstring says before its sections, in paragraphs."""
    from docstring_parser import parse

    parsed = parse(cls.__doc__ or "")
    return _plain_text("\n\n".join(filter(None, (parsed.short_description, parsed.long_description))))


def typed(value: Any) -> str:
    """A value as YAML and the command line write it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(typed, value))}]"
    if isinstance(value, str | int | float) or is_dataclass(value):
        return str(value)
    return getattr(value, "__name__", type(value).__name__)  # functions, and objects that no text stands for


def _type(hint: Any) -> str:
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " | ".join(map(str, inside))
    if origin in (Union, UnionType):
        return " | ".join("null" if one is type(None) else _type(one) for one in inside)
    if origin is not None:
        return f"{origin.__name__}[{', '.join('…' if one is ... else _type(one) for one in inside)}]"
    return getattr(hint, "__name__", str(hint)) if hint is not REQUIRED else "any"


def _plain_text(text: str) -> str:
    """Without the marks of reStructuredText."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    return text.replace("``", "`")
