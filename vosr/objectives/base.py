"""Interfaces of the training objectives."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from vosr.core.registry import Component
from vosr.core.types import AverageVelocityFn, VelocityFn


@dataclass(frozen=True)
class Loss:
    """A scalar to minimise, and its unweighted terms, detached, by name, for the logs."""

    total: Tensor
    terms: dict[str, Tensor]


@dataclass(frozen=True)
class FlowDraw:
    """Random numbers of one step.

    Attributes:
        noise: (B, C, h, w).
        t: (B,).
        r: end time (B,), r <= t, for distillation.
    """

    noise: Tensor
    t: Tensor
    r: Tensor | None = None


class Objective(Component, ABC):
    """Base class of objectives: random draws are separate from the formula."""

    @abstractmethod
    def draw(self, data: Tensor, generator: torch.Generator | None = None) -> FlowDraw:
        """Random numbers for a batch of clean latents (B, C, h, w)."""


class TeacherObjective(Objective):
    """Trains a velocity."""

    @abstractmethod
    def loss(self, velocity: VelocityFn, data: Tensor, draw: FlowDraw) -> Loss:
        """Loss of ``velocity`` on clean latents ``data`` (B, C, h, w)."""


class DistillationObjective(Objective):
    """Trains an average velocity (the student) against a guided velocity (the frozen teacher)."""

    @abstractmethod
    def loss(self, student: AverageVelocityFn, teacher: VelocityFn, data: Tensor, draw: FlowDraw) -> Loss:
        """Loss of ``student`` on clean latents ``data``; ``teacher`` is called without gradient.

        ``student`` also takes copies of the batch, one after another: (n B, C, h, w) with times (n B,). Evaluate it
        once with gradient: FSDP2 reduces a weight's gradient when all uses of it have theirs.
        """
