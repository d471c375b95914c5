"""Registered objectives: ``flow_matching`` trains a teacher, the others distil one."""

from vosr.core.registry import Registry
from vosr.objectives.base import DistillationObjective, FlowDraw, Loss, Objective, TeacherObjective
from vosr.objectives.flow_matching import FlowMatching
from vosr.objectives.image import FidelitySharpness, ImageLoss
from vosr.objectives.rcgm import RCGM
from vosr.objectives.shortcut import Shortcut

OBJECTIVES: Registry[Objective] = Registry("objective", Objective)
OBJECTIVES.add("flow_matching", FlowMatching)
OBJECTIVES.add("rcgm", RCGM)
OBJECTIVES.add("shortcut", Shortcut)

IMAGE_LOSSES: Registry[ImageLoss] = Registry("image_loss", ImageLoss)
IMAGE_LOSSES.add("fidelity_sharpness", FidelitySharpness)

__all__ = [
    "IMAGE_LOSSES",
    "OBJECTIVES",
    "RCGM",
    "DistillationObjective",
    "FidelitySharpness",
    "FlowDraw",
    "FlowMatching",
    "ImageLoss",
    "Loss",
    "Objective",
    "Shortcut",
    "TeacherObjective",
]
