"""Registered backbones."""

from vosr.backbones.base import Backbone, BackboneFactory
from vosr.backbones.conv_unet import ConvUNet
from vosr.backbones.lightning_dit import LightningDiT
from vosr.core.registry import Registry

BACKBONES: Registry[Backbone] = Registry("backbone", Backbone)
BACKBONES.add("conv_unet", ConvUNet)
BACKBONES.add("lightning_dit", LightningDiT)

__all__ = ["BACKBONES", "Backbone", "BackboneFactory", "ConvUNet", "LightningDiT"]
