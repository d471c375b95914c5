"""Registered objectives: ``flow_matching`` trains a teacher, the others distil one."""

from vosr.objectives.base import DistillationObjective, FlowDraw, Loss, Objective, TeacherObjective
from vosr.objectives.flow_matching import FlowMatching
from vosr.objectives.picture import FidelitySharpness, PictureLoss
from vosr.objectives.rcgm import RCGM
from vosr.objectives.shortcut import Shortcut
from vosr.registry import Registry

OBJECTIVES: Registry[Objective] = Registry("objective", Objective)
OBJECTIVES.add("flow_matching", FlowMatching)
OBJECTIVES.add("rcgm", RCGM)
OBJECTIVES.add("shortcut", Shortcut)

PICTURE_LOSSES: Registry[PictureLoss] = Registry("picture_loss", PictureLoss)
PICTURE_LOSSES.add("fidelity_sharpness", FidelitySharpness)

__all__ = [
    "OBJECTIVES",
    "PICTURE_LOSSES",
    "RCGM",
    "DistillationObjective",
    "FidelitySharpness",
    "FlowDraw",
    "FlowMatching",
    "Loss",
    "Objective",
    "PictureLoss",
    "Shortcut",
    "TeacherObjective",
]
