"""Every registry by kind, and components to and from plain records."""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from vosr.core.registry.component import Component
from vosr.core.registry.entry_points import warn_of_unknown_groups
from vosr.core.registry.registry import Registry

_PLACES = {
    "encoder": "vosr.encoders:ENCODERS",
    "backbone": "vosr.backbones:BACKBONES",
    "guidance": "vosr.guidance:GUIDANCE",
    "degradation": "vosr.degradations:DEGRADATIONS",
    "autoencoder": "vosr.autoencoders:AUTOENCODERS",
    "objective": "vosr.objectives:OBJECTIVES",
    "image_loss": "vosr.objectives:IMAGE_LOSSES",
    "discriminator": "vosr.objectives.discriminators:DISCRIMINATORS",
    "metric": "vosr.metrics:METRICS",
}


class _Registries(Mapping[str, Registry[Any]]):
    """Registries by kind; a package is imported when its kind is asked for, so that this module is below them all."""

    def __getitem__(self, kind: str) -> Registry[Any]:
        warn_of_unknown_groups(tuple(_PLACES))
        module, _, name = _PLACES[kind].partition(":")
        registry: Registry[Any] = getattr(importlib.import_module(module), name)
        return registry

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


REGISTRIES: Mapping[str, Registry[Any]] = _Registries()


def describe(component: Component) -> dict[str, Any]:
    """A component as a plain record that JSON and YAML hold: ``{"name": …, "args": {…}}``."""
    for registry in REGISTRIES.values():
        if isinstance(component, registry.base):
            args = {key: _plain(value) for key, value in component.init_args.items()}
            return {"name": registry.name_of(component.built_as), "args": args}
    raise ValueError(f"{type(component).__name__} belongs to no registry: {', '.join(REGISTRIES)}.")


def rebuild(kind: str, record: dict[str, Any], trust_remote_code: bool = False) -> Any:
    """The component of :func:`describe`'s record.

    Args:
        kind: of the component.
        record: a name and arguments.
        trust_remote_code: whether a dotted path is imported; a registered name or a plug-in's needs no trust.

    Raises:
        UnknownNameError: the name is not registered here.
        UntrustedCodeError: the name is a dotted path and ``trust_remote_code`` is false.
        TypeError: an argument that this version's component does not have.
    """
    registry = REGISTRIES[kind]
    cls = registry.get(record["name"]) if trust_remote_code else registry.trusted(record["name"])
    hints = get_type_hints(cls.__init__)
    args = {
        name: _typed(kind, value, hints.get(name), trust_remote_code)
        for name, value in record["args"].items()
    }
    return cls(**args)


def _typed(kind: str, value: Any, hint: Any, trust_remote_code: bool) -> Any:
    """What :func:`_plain` made of a value: components of the same kind, and dataclasses of settings."""
    if isinstance(value, list):
        inner = next(iter(get_args(hint)), None)
        return [_typed(kind, item, inner, trust_remote_code) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"name", "args"}:
        return rebuild(kind, value, trust_remote_code)
    cls = next((one for one in (hint, *get_args(hint)) if isinstance(one, type) and is_dataclass(one)), None)
    return value if cls is None else cls(**value)


def _plain(value: Any) -> Any:
    if isinstance(value, Component):
        return describe(value)
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
