"""The engine behind :class:`vosr.Restorer`: images of any size in bounded memory."""

from vosr.inference.engine import Engine
from vosr.inference.precision import DTypeName, Precision
from vosr.inference.settings import Semantics, Settings

__all__ = ["DTypeName", "Engine", "Precision", "Semantics", "Settings"]
