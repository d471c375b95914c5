"""Restoring images of any size in bounded memory; :class:`Restorer` is the public face."""

from vosr.inference.precision import DTypeName, Precision
from vosr.inference.restorer import Restorer
from vosr.inference.settings import Semantics, Settings

__all__ = ["DTypeName", "Precision", "Restorer", "Semantics", "Settings"]
