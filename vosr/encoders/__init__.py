"""Registered encoders."""

from vosr.core.registry import Registry
from vosr.encoders.base import Encoder
from vosr.encoders.clip import CLIP
from vosr.encoders.dense_sift import DenseSIFT
from vosr.encoders.dinov2 import DINOv2
from vosr.encoders.dinov3 import DINOv3
from vosr.encoders.none import NoEncoder
from vosr.encoders.siglip2 import SigLIP2
from vosr.encoders.timm_model import TimmEncoder

ENCODERS: Registry[Encoder] = Registry("encoder", Encoder)
ENCODERS.add("none", NoEncoder)
ENCODERS.add("dense_sift", DenseSIFT)
ENCODERS.add("dinov2", DINOv2)
ENCODERS.add("dinov3", DINOv3)
ENCODERS.add("siglip2", SigLIP2)
ENCODERS.add("clip", CLIP)
ENCODERS.add("timm", TimmEncoder)

__all__ = [
    "CLIP",
    "ENCODERS",
    "DINOv2",
    "DINOv3",
    "DenseSIFT",
    "Encoder",
    "NoEncoder",
    "SigLIP2",
    "TimmEncoder",
]
