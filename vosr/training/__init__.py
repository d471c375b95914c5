"""LightningModules and callbacks."""

from vosr.training.distillation import DistillationModule
from vosr.training.teacher import TeacherModule

__all__ = ["DistillationModule", "TeacherModule"]
