"""Flow matching, the teacher's objective (METHOD section 3)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vosr.flow import TimeDistribution, interpolate, sample_times, velocity
from vosr.objectives.base import FlowDraw, Loss, TeacherObjective
from vosr.types import VelocityFn


class FlowMatching(TeacherObjective):
    """Teacher: mean squared error to the velocity noise - data of the straight path.

    Args:
        times: distribution of the training times.
    """

    def __init__(self, times: TimeDistribution = "uniform") -> None:
        self.times: TimeDistribution = times

    def draw(self, data: Tensor, generator: torch.Generator | None = None) -> FlowDraw:
        noise = torch.randn(data.shape, generator=generator, device=data.device).to(data.dtype)
        return FlowDraw(noise, sample_times(data.shape[0], self.times, generator, data.device))

    def loss(self, velocity_model: VelocityFn, data: Tensor, draw: FlowDraw) -> Loss:
        predicted = velocity_model(interpolate(data, draw.noise, draw.t), draw.t)
        total = F.mse_loss(predicted.float(), velocity(data, draw.noise).float())
        return Loss(total, {"velocity": total.detach()})
