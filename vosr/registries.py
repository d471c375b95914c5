"""Every registry by kind, and components to and from plain records."""

from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from vosr.autoencoders import AUTOENCODERS
from vosr.backbones import BACKBONES
from vosr.component import Component
from vosr.degradations import DEGRADATIONS
from vosr.encoders import ENCODERS
from vosr.guidance import GUIDANCE
from vosr.objectives import IMAGE_LOSSES, OBJECTIVES
from vosr.registry import Registry

REGISTRIES: dict[str, Registry[Any]] = {
    registry.kind: registry
    for registry in (ENCODERS, BACKBONES, GUIDANCE, DEGRADATIONS, AUTOENCODERS, OBJECTIVES, IMAGE_LOSSES)
}


def describe(component: Component) -> dict[str, Any]:
    """A component as a plain record that JSON and YAML hold: ``{"name": …, "args": {…}}``."""
    for registry in REGISTRIES.values():
        if isinstance(component, registry.base):
            args = {key: _plain(value) for key, value in component.init_args.items()}
            return {"name": registry.name_of(component.built_as), "args": args}
    raise ValueError(f"{type(component).__name__} belongs to no registry: {', '.join(REGISTRIES)}.")


def rebuild(kind: str, record: dict[str, Any]) -> Any:
    """The component of :func:`describe`'s record.

    Raises:
        UnknownNameError: the name is not registered here.
        TypeError: an argument that this version's component does not have.
    """
    return REGISTRIES[kind].build(record["name"], **record["args"])


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
