"""Registered backbones."""

from vosr.backbones.base import Backbone
from vosr.registry import Registry

BACKBONES: Registry[Backbone] = Registry("backbone", Backbone)

__all__ = ["BACKBONES", "Backbone"]
