"""Registered objectives: ``flow_matching`` trains a teacher, the others distil one."""

from vosr.objectives.base import DistillationObjective, FlowDraw, Loss, Objective, TeacherObjective
from vosr.objectives.combined import LogMSE, WeightedSum
from vosr.objectives.features import FeatureLoss
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
PICTURE_LOSSES.add("features", FeatureLoss)
PICTURE_LOSSES.add("fidelity_sharpness", FidelitySharpness)
PICTURE_LOSSES.add("log_mse", LogMSE)
PICTURE_LOSSES.add("weighted_sum", WeightedSum)

__all__ = [
    "OBJECTIVES",
    "PICTURE_LOSSES",
    "RCGM",
    "DistillationObjective",
    "FeatureLoss",
    "FidelitySharpness",
    "FlowDraw",
    "FlowMatching",
    "LogMSE",
    "Loss",
    "Objective",
    "PictureLoss",
    "Shortcut",
    "TeacherObjective",
    "WeightedSum",
]
