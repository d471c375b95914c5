"""Registered encoders."""

from vosr.encoders.base import Encoder
from vosr.encoders.dense_sift import DenseSIFT
from vosr.encoders.none import NoEncoder
from vosr.registry import Registry

ENCODERS: Registry[Encoder] = Registry("encoder", Encoder)  # type: ignore[type-abstract]
ENCODERS.add("none", NoEncoder)
ENCODERS.add("dense_sift", DenseSIFT)

__all__ = ["ENCODERS", "DenseSIFT", "Encoder", "NoEncoder"]
