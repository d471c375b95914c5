"""The engine behind :class:`vosr.Restorer`: images of any size in bounded memory."""

from vosr.inference.engine import Engine
from vosr.inference.precision import Precision
from vosr.inference.settings import Settings
from vosr.options import DTypeName, Semantics

__all__ = ["DTypeName", "Engine", "Precision", "Semantics", "Settings"]
