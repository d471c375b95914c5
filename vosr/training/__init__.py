"""LightningModules and callbacks."""

from vosr.training.distillation import DistillationModule
from vosr.training.final_comparison import FinalComparison
from vosr.training.schedule import CosineWithWarmup
from vosr.training.sharded import FullySharded
from vosr.training.teacher import TeacherModule

__all__ = ["CosineWithWarmup", "DistillationModule", "FinalComparison", "FullySharded", "TeacherModule"]
