"""Restoring images of any size in bounded memory; :class:`Restorer` is the public face."""

from vosr.core.options import DTypeName, Semantics
from vosr.inference.precision import Precision
from vosr.inference.restorer import Restorer
from vosr.inference.settings import Settings

__all__ = ["DTypeName", "Precision", "Restorer", "Semantics", "Settings"]
