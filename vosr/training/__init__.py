"""LightningModules and callbacks."""

from vosr.training.autoencoder import AutoencoderModule
from vosr.training.distillation import DistillationModule
from vosr.training.final_comparison import FinalComparison
from vosr.training.light_decoder import LightDecoderModule
from vosr.training.schedule import CosineWithWarmup
from vosr.training.sharded import FullySharded
from vosr.training.teacher import TeacherModule

__all__ = [
    "AutoencoderModule",
    "CosineWithWarmup",
    "DistillationModule",
    "FinalComparison",
    "FullySharded",
    "LightDecoderModule",
    "TeacherModule",
]
