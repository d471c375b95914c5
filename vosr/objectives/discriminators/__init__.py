"""Registered discriminators: the adversarial term of a one-step student (off by default)."""

from vosr.core.registry import Registry
from vosr.objectives.discriminators.base import Discriminator
from vosr.objectives.discriminators.patch import PatchDiscriminator
from vosr.objectives.discriminators.projected import ProjectedDiscriminator

DISCRIMINATORS: Registry[Discriminator] = Registry("discriminator", Discriminator)
DISCRIMINATORS.add("patch", PatchDiscriminator)
DISCRIMINATORS.add("projected", ProjectedDiscriminator)

__all__ = ["DISCRIMINATORS", "Discriminator", "PatchDiscriminator", "ProjectedDiscriminator"]
