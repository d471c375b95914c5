"""Registered objectives: ``flow_matching`` trains a teacher, the others distil one."""

from vosr.core.registry import Registry
from vosr.objectives.adversarial import Adversary
from vosr.objectives.base import DistillationObjective, FlowDraw, Loss, Objective, TeacherObjective
from vosr.objectives.combined import AbsoluteError, LogMSE, Mesh, WeightedSum
from vosr.objectives.features import FeatureLoss
from vosr.objectives.flow_matching import FlowMatching
from vosr.objectives.image import FidelitySharpness, ImageLoss
from vosr.objectives.rcgm import RCGM
from vosr.objectives.shortcut import Shortcut
from vosr.objectives.spectrum import SpectralLines

OBJECTIVES: Registry[Objective] = Registry("objective", Objective)
OBJECTIVES.add("flow_matching", FlowMatching)
OBJECTIVES.add("rcgm", RCGM)
OBJECTIVES.add("shortcut", Shortcut)

IMAGE_LOSSES: Registry[ImageLoss] = Registry("image_loss", ImageLoss)
IMAGE_LOSSES.add("features", FeatureLoss)
IMAGE_LOSSES.add("fidelity_sharpness", FidelitySharpness)
IMAGE_LOSSES.add("l1", AbsoluteError)
IMAGE_LOSSES.add("log_mse", LogMSE)
IMAGE_LOSSES.add("mesh", Mesh)
IMAGE_LOSSES.add("spectral_lines", SpectralLines)
IMAGE_LOSSES.add("weighted_sum", WeightedSum)

__all__ = [
    "IMAGE_LOSSES",
    "OBJECTIVES",
    "RCGM",
    "AbsoluteError",
    "Adversary",
    "DistillationObjective",
    "FeatureLoss",
    "FidelitySharpness",
    "FlowDraw",
    "FlowMatching",
    "ImageLoss",
    "LogMSE",
    "Loss",
    "Mesh",
    "Objective",
    "Shortcut",
    "TeacherObjective",
    "WeightedSum",
]
