"""Flow matching, the teacher's objective (docs/method.md#flow-matching)."""

from typing import Literal

import torch
from torch import Tensor

from vosr.core.types import VelocityFn
from vosr.flow import TimeDistribution, interpolate, per_sample, sample_times, shift_times, velocity
from vosr.objectives.adaptive import adaptive_mse
from vosr.objectives.base import FlowDraw, Loss, TeacherObjective


class FlowMatching(TeacherObjective):
    """Teacher: mean squared error to the velocity noise - data of the straight path.

    Args:
        times: distribution of the training times.
        shift: moves the times towards noise; 1 leaves them, larger suits small models and few steps.
        adaptive: power of the per-sample weights, see :func:`vosr.objectives.adaptive.adaptive_mse`.
        weighting: "velocity" is the paper's error; "image" multiplies it by t, which makes it the error of the
            predicted clean latent: a first stage that soon gives a good one-step result, and hardly counts small t.
        pure_noise: share of the samples at t = 1, where one step starts; the others follow ``times``.

    Raises:
        ValueError: a shift that is not positive, or a share outside [0, 1].
    """

    def __init__(
        self,
        times: TimeDistribution = "uniform",
        shift: float = 1.0,
        adaptive: float = 0.0,
        weighting: Literal["velocity", "image"] = "velocity",
        pure_noise: float = 0.0,
    ) -> None:
        if shift <= 0:
            raise ValueError(f"shift must be positive, not {shift}.")
        if not 0 <= pure_noise <= 1:
            raise ValueError(f"pure_noise must be in [0, 1], not {pure_noise}.")
        self.times: TimeDistribution = times
        self.shift = shift
        self.adaptive = adaptive
        self.weighting: Literal["velocity", "image"] = weighting
        self.pure_noise = pure_noise

    def draw(self, data: Tensor, generator: torch.Generator | None = None) -> FlowDraw:
        noise = torch.randn(data.shape, generator=generator, device=data.device).to(data.dtype)
        times = shift_times(sample_times(data.shape[0], self.times, generator, data.device), self.shift)
        if self.pure_noise:
            start = torch.rand(data.shape[0], generator=generator, device=data.device) < self.pure_noise
            times = torch.where(start, 1.0, times)
        return FlowDraw(noise, times)

    def loss(self, velocity_model: VelocityFn, data: Tensor, draw: FlowDraw) -> Loss:
        predicted = velocity_model(interpolate(data, draw.noise, draw.t), draw.t)
        target = velocity(data, draw.noise)
        if self.weighting == "image":
            t = per_sample(draw.t, data)
            predicted, target = t * predicted, t * target
        total, error = adaptive_mse(predicted, target, self.adaptive)
        return Loss(total, {self.weighting: error})
