"""Names to components. One :class:`Registry` per kind; each package lists its entries explicitly."""

import difflib
import importlib
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from vosr.core.component import Component

T = TypeVar("T", bound=Component)


class UnknownNameError(ValueError):
    """A name that no component of the kind has. The message holds the nearest names and all names."""


class Registry(Generic[T]):
    """An explicit, duplicate-free list of the components of one kind.

    Args:
        kind: singular noun, also the entry-point suffix: third-party packages register a class under
            ``[project.entry-points."vosr.<kind>"]``.
        base: the class that every entry derives from.

    Example:
        >>> from vosr.guidance import GUIDANCE
        >>> GUIDANCE.build("restoration", scale=0.5).scale
        0.5
    """

    def __init__(self, kind: str, base: type[Any]) -> None:  # type[T] would refuse an abstract base
        self.kind = kind
        self.base = base
        self._entries: dict[str, type[T]] = {}
        self._plugins_loaded = False

    def add(self, name: str, cls: type[T]) -> None:
        """Register ``cls`` as ``name``.

        Raises:
            ValueError: the name is taken, is not a plain identifier, or the class has the wrong base.
        """
        if not name.isidentifier():
            raise ValueError(f"{self.kind} name {name!r} must be a plain identifier.")
        if name in self._entries:
            taken = class_path(self._entries[name])
            raise ValueError(f"{self.kind} {name!r} is already registered as {taken}.")
        if not (isinstance(cls, type) and issubclass(cls, self.base)):
            base = class_path(self.base)
            raise ValueError(f"{self.kind} {name!r} must be a subclass of {base}, not {cls!r}.")
        self._entries[name] = cls

    def get(self, name: str) -> type[T]:
        """The class registered as ``name``, or found at the dotted path ``name``.

        Raises:
            UnknownNameError: no such name, or nothing of this kind at that path.
        """
        self._load_plugins()
        if name in self._entries:
            return self._entries[name]
        if "." in name:
            return self._import(name)
        near = difflib.get_close_matches(name, self._entries, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownNameError(f"Unknown {self.kind} {name!r}.{hint} Known: {', '.join(self.names())}.")

    def build(self, name: str, **kwargs: Any) -> T:
        """Construct the component ``name`` with ``kwargs``."""
        return self.get(name)(**kwargs)

    def names(self) -> list[str]:
        """Every registered name, sorted."""
        self._load_plugins()
        return sorted(self._entries)

    def name_of(self, cls: type) -> str:
        """The registered name of ``cls``, or its dotted path."""
        self._load_plugins()
        return next((name for name, entry in self._entries.items() if entry is cls), class_path(cls))

    def __iter__(self) -> Iterator[tuple[str, type[T]]]:
        return iter([(name, self._entries[name]) for name in self.names()])

    def _import(self, path: str) -> type[T]:
        module, _, attribute = path.rpartition(".")
        try:
            cls = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise UnknownNameError(f"No {self.kind} at {path!r}: {error}.") from error
        if not (isinstance(cls, type) and issubclass(cls, self.base)):
            base = class_path(self.base)
            raise UnknownNameError(f"{path!r} is not a {self.kind}: it does not derive from {base}.")
        return cls

    def _load_plugins(self) -> None:
        if not self._plugins_loaded:
            self._plugins_loaded = True
            for point in entry_points(group=f"vosr.{self.kind}"):
                self.add(point.name, point.load())


def class_path(cls: type) -> str:
    """Dotted import path of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def summary(cls: type) -> str:
    """First line of a class's docstring."""
    return (cls.__doc__ or "").strip().partition("\n")[0]
