"""Registered discriminators: the adversarial term of a one-step student (off by default)."""

from vosr.core.registry import Registry
from vosr.discriminators.base import Discriminator
from vosr.discriminators.patch import PatchDiscriminator
from vosr.discriminators.projected import ProjectedDiscriminator

DISCRIMINATORS: Registry[Discriminator] = Registry("discriminator", Discriminator)
DISCRIMINATORS.add("patch", PatchDiscriminator)
DISCRIMINATORS.add("projected", ProjectedDiscriminator)

__all__ = ["DISCRIMINATORS", "Discriminator", "PatchDiscriminator", "ProjectedDiscriminator"]
