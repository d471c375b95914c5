"""What every pluggable part has in common: it can say how it was built."""

import functools
import inspect
from collections.abc import Callable
from typing import Any


class Component:
    """Mixin that remembers the constructor arguments, so that a checkpoint can rebuild the object.

    ``component.init_args`` is the complete mapping of argument names to the values used, defaults included.
    Values are kept as given; :func:`vosr.core.registry.describe` turns them into JSON. ``component.built_as`` is the
    class that was constructed: FSDP later puts one of its own in place.
    """

    init_args: dict[str, Any]
    built_as: type

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            cls.__init__ = _recording(cls.__init__)  # type: ignore[method-assign]


def _recording(init: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(init)

    @functools.wraps(init)
    def wrapper(self: Component, *args: Any, **kwargs: Any) -> None:
        if "init_args" not in self.__dict__:  # only the outermost constructor: super().__init__ comes later
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            object.__setattr__(self, "init_args", dict(list(bound.arguments.items())[1:]))
            object.__setattr__(self, "built_as", type(self))
        init(self, *args, **kwargs)

    return wrapper
