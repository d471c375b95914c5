"""Registered degradations."""

from vosr.degradations.base import Degradation
from vosr.registry import Registry

DEGRADATIONS: Registry[Degradation] = Registry("degradation", Degradation)

__all__ = ["DEGRADATIONS", "Degradation"]
