"""Registered objectives: ``flow_matching`` trains a teacher, the others distil one."""

from vosr.objectives.base import DistillationObjective, FlowDraw, Loss, Objective, TeacherObjective
from vosr.objectives.flow_matching import FlowMatching
from vosr.objectives.rcgm import RCGM
from vosr.objectives.shortcut import Shortcut
from vosr.registry import Registry

OBJECTIVES: Registry[Objective] = Registry("objective", Objective)
OBJECTIVES.add("flow_matching", FlowMatching)
OBJECTIVES.add("rcgm", RCGM)
OBJECTIVES.add("shortcut", Shortcut)

__all__ = [
    "OBJECTIVES",
    "RCGM",
    "DistillationObjective",
    "FlowDraw",
    "FlowMatching",
    "Loss",
    "Objective",
    "Shortcut",
    "TeacherObjective",
]
