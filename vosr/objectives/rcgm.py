"""Recursive consistent generation matching, the paper's distillation objective (docs/method.md#distillation)."""

import torch
from torch import Tensor

from vosr.core.types import AverageVelocityFn
from vosr.flow import per_sample
from vosr.objectives.average_velocity import AverageVelocityObjective

MIN_SPAN = 1e-6


class RCGM(AverageVelocityObjective):
    """Distillation: a short teacher step, then the student's own integral to the end (the paper's choice).

    Args:
        u_weight: weight of the average-velocity loss.
        delta: length of the teacher's step.
        substeps: equal student steps over the rest.
        clamp: bound of the correction's magnitude per element.
        shift: moves the start times towards noise.
        adaptive: power of the per-sample weights.
    """

    def __init__(
        self,
        u_weight: float = 1.0,
        delta: float = 0.01,
        substeps: int = 2,
        clamp: float = 1.0,
        shift: float = 1.0,
        adaptive: float = 0.0,
    ) -> None:
        super().__init__(u_weight, shift, adaptive)
        if not 0 < delta < 1:
            raise ValueError(f"delta must be in (0, 1), not {delta}.")
        if substeps < 1:
            raise ValueError(f"substeps must be at least 1, not {substeps}.")
        self.delta = delta
        self.substeps = substeps
        self.clamp = clamp

    def target(
        self, student: AverageVelocityFn, u: Tensor, v_target: Tensor, z_t: Tensor, t: Tensor, r: Tensor
    ) -> Tensor:
        middle = torch.maximum(t - self.delta, r)
        z_middle = z_t - per_sample(t - middle, z_t) * v_target
        displacement = self._student_integral(student, z_middle, middle, r)
        span = (t - r).clamp_min(MIN_SPAN)
        near = t < r + self.delta + MIN_SPAN  # the teacher's step already reaches r
        a = per_sample(torch.where(near, 1.0, span / self.delta), z_t)
        b = per_sample(torch.where(near, 1 / span, 1 / self.delta), z_t)
        correction = (u * a - displacement * b - v_target).clamp(-self.clamp, self.clamp)
        return u - correction

    def _student_integral(self, student: AverageVelocityFn, z: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """Sum of the student's displacements over equal sub-steps from ``start`` to ``end``."""
        step = (start - end) / self.substeps
        total = torch.zeros_like(z)
        for i in range(self.substeps):
            moved = per_sample(step, z) * student(z, start - i * step, start - (i + 1) * step)
            total, z = total + moved, z - moved
        return total
