"""Flow matching, the teacher's objective (METHOD section 3)."""

import torch
from torch import Tensor

from vosr.core.types import VelocityFn
from vosr.flow import TimeDistribution, interpolate, sample_times, shift_times, velocity
from vosr.objectives.adaptive import adaptive_mse
from vosr.objectives.base import FlowDraw, Loss, TeacherObjective


class FlowMatching(TeacherObjective):
    """Teacher: mean squared error to the velocity noise - data of the straight path.

    Args:
        times: distribution of the training times.
        shift: moves the times towards noise; 1 leaves them, larger suits small models and few steps.
        adaptive: power of the per-sample weights, see :func:`vosr.objectives.adaptive.adaptive_mse`.
    """

    def __init__(
        self, times: TimeDistribution = "uniform", shift: float = 1.0, adaptive: float = 0.0
    ) -> None:
        if shift <= 0:
            raise ValueError(f"shift must be positive, not {shift}.")
        self.times: TimeDistribution = times
        self.shift = shift
        self.adaptive = adaptive

    def draw(self, data: Tensor, generator: torch.Generator | None = None) -> FlowDraw:
        noise = torch.randn(data.shape, generator=generator, device=data.device).to(data.dtype)
        times = sample_times(data.shape[0], self.times, generator, data.device)
        return FlowDraw(noise, shift_times(times, self.shift))

    def loss(self, velocity_model: VelocityFn, data: Tensor, draw: FlowDraw) -> Loss:
        predicted = velocity_model(interpolate(data, draw.noise, draw.t), draw.t)
        total, error = adaptive_mse(predicted, velocity(data, draw.noise), self.adaptive)
        return Loss(total, {"velocity": error})
