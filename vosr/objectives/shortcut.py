"""Shortcut distillation: one long step equals two half steps (docs/method.md#distillation)."""

from torch import Tensor

from vosr.core.types import AverageVelocityFn
from vosr.flow import per_sample
from vosr.objectives.average_velocity import AverageVelocityObjective


class Shortcut(AverageVelocityObjective):
    """Distillation: the mean of the student's own two half steps is the target of its long step.

    Args:
        u_weight: weight of the average-velocity loss.
        shift: moves the start times towards noise.
        adaptive: power of the per-sample weights.
    """

    def __init__(self, u_weight: float = 1.0, shift: float = 1.0, adaptive: float = 0.0) -> None:
        super().__init__(u_weight, shift, adaptive)

    def target(
        self, student: AverageVelocityFn, u: Tensor, v_target: Tensor, z_t: Tensor, t: Tensor, r: Tensor
    ) -> Tensor:
        middle = (t + r) / 2
        first = student(z_t, t, middle)
        z_middle = z_t - per_sample(t - middle, z_t) * first
        return (first + student(z_middle, middle, r)) / 2
