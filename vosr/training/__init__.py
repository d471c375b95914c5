"""LightningModules and callbacks."""

from vosr.training.distillation import DistillationModule
from vosr.training.sharded import FullySharded
from vosr.training.teacher import TeacherModule

__all__ = ["DistillationModule", "FullySharded", "TeacherModule"]
