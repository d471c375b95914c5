"""Pluggable components: found by name, described by plain records, rebuilt from them."""

from vosr.core.registry.component import Component
from vosr.core.registry.records import REGISTRIES, describe, rebuild
from vosr.core.registry.registry import Registry, UnknownNameError, UntrustedCodeError, class_path, summary

__all__ = [
    "REGISTRIES",
    "Component",
    "Registry",
    "UnknownNameError",
    "UntrustedCodeError",
    "class_path",
    "describe",
    "rebuild",
    "summary",
]
