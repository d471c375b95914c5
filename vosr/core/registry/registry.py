"""Names to components. One :class:`Registry` per kind; each package lists its entries explicitly."""

import difflib
import importlib
import logging
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from vosr.core.files.shown import reason, shown
from vosr.core.registry.component import Component

T = TypeVar("T", bound=Component)


log = logging.getLogger(__name__)


class UnknownNameError(ValueError):
    """A name that no component of the kind has. The message holds the nearest names and all names."""


class UntrustedCodeError(ValueError):
    """A record from outside names a class by a dotted path, which would import code."""


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
        self._broken: dict[str, str] = {}
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
        if "." in name and name not in self._entries:
            return self._import(name)
        return self._registered(name)

    def trusted(self, name: str) -> type[T]:
        """The class registered as ``name``, here or by an installed plug-in; nothing is imported for it.

        Raises:
            UntrustedCodeError: a dotted path.
            UnknownNameError: no such name.
        """
        self._load_plugins()
        if "." in name and name not in self._entries:
            raise UntrustedCodeError(
                f"The {self.kind} {shown(name)!r} is not a registered one: to build it, the Python module "
                f"{shown(name.rpartition('.')[0])!r} would be imported and run. If you trust where this comes from, "
                "give --trust_remote_code (trust_remote_code=True)."
            )
        return self._registered(name)

    def _registered(self, name: str) -> type[T]:
        if name in self._entries:
            return self._entries[name]
        near = difflib.get_close_matches(name, self._entries, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        hint += f" The plug-in of that name failed: {self._broken[name]}." if name in self._broken else ""
        raise UnknownNameError(
            f"Unknown {self.kind} {shown(name)!r}.{hint} Known: {', '.join(self.names())}."
        )

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
                try:
                    self.add(point.name, point.load())
                except (
                    Exception,
                    SystemExit,
                ) as error:  # somebody else's code: it must not stop what needs none of it
                    self._broken[point.name] = reason(error)
                    log.warning(
                        "The plug-in %s (%s) is passed over: %s.", point.name, point.value, reason(error)
                    )


def class_path(cls: type) -> str:
    """Dotted import path of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def summary(cls: type) -> str:
    """First line of a class's docstring."""
    return (cls.__doc__ or "").strip().partition("\n")[0]
