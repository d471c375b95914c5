"""Registered encoders."""

from vosr.encoders.base import Encoder
from vosr.registry import Registry

ENCODERS: Registry[Encoder] = Registry("encoder", Encoder)

__all__ = ["ENCODERS", "Encoder"]
