"""Registered guidance strategies."""

from vosr.core.registry import Registry
from vosr.guidance.base import ConditionDraw, Guidance
from vosr.guidance.classifier_free import ClassifierFreeGuidance
from vosr.guidance.none import NoGuidance
from vosr.guidance.restoration import RestorationGuidance

GUIDANCE: Registry[Guidance] = Registry("guidance", Guidance)
GUIDANCE.add("restoration", RestorationGuidance)
GUIDANCE.add("classifier_free", ClassifierFreeGuidance)
GUIDANCE.add("none", NoGuidance)

__all__ = [
    "GUIDANCE",
    "ClassifierFreeGuidance",
    "ConditionDraw",
    "Guidance",
    "NoGuidance",
    "RestorationGuidance",
]
