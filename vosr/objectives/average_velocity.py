"""What the one-step objectives share: times, the teacher's target and the two losses (docs/method.md#distillation)."""

from abc import abstractmethod

import torch
from torch import Tensor

from vosr.core.types import AverageVelocityFn, VelocityFn
from vosr.flow import interpolate, shift_times
from vosr.objectives.adaptive import adaptive_mse
from vosr.objectives.base import DistillationObjective, FlowDraw, Loss


class AverageVelocityObjective(DistillationObjective):
    """L_v ties u(z_t, t, t) to the teacher; L_u ties u(z_t, t, r) to a target that subclasses build.

    Args:
        u_weight: weight of L_u.
        shift: moves the start times towards noise; 1 leaves them, larger suits small models and few steps.
        adaptive: power of the per-sample weights, see :func:`vosr.objectives.adaptive.adaptive_mse`.
    """

    def __init__(self, u_weight: float, shift: float, adaptive: float) -> None:
        if shift <= 0:
            raise ValueError(f"shift must be positive, not {shift}.")
        self.u_weight = u_weight
        self.shift = shift
        self.adaptive = adaptive

    def draw(self, data: Tensor, generator: torch.Generator | None = None) -> FlowDraw:
        """T = max of two uniforms, shifted; r = t * (1 - g) with g ~ Beta(1, 1), which is the uniform distribution."""
        batch, device = data.shape[0], data.device
        uniform = torch.rand(3, batch, generator=generator, device=device)
        t = shift_times(torch.maximum(uniform[0], uniform[1]), self.shift)
        noise = torch.randn(data.shape, generator=generator, device=device).to(data.dtype)
        return FlowDraw(noise, t, t * (1 - uniform[2]))

    def loss(self, student: AverageVelocityFn, teacher: VelocityFn, data: Tensor, draw: FlowDraw) -> Loss:
        assert draw.r is not None
        t, r = draw.t, draw.r
        z_t = interpolate(data, draw.noise, t)
        with torch.no_grad():
            v_target = teacher(z_t, t)
        v, u = student(z_t.repeat(2, 1, 1, 1), t.repeat(2), torch.cat([t, r])).chunk(2)
        loss_v, error_v = adaptive_mse(v, v_target, self.adaptive)
        with torch.no_grad():
            u_target = self.target(student, u.detach(), v_target, z_t, t, r)
        loss_u, error_u = adaptive_mse(u, u_target, self.adaptive)
        terms = {"velocity": error_v, "average_velocity": error_u}
        return Loss(loss_v + self.u_weight * loss_u, terms)

    @abstractmethod
    def target(
        self, student: AverageVelocityFn, u: Tensor, v_target: Tensor, z_t: Tensor, t: Tensor, r: Tensor
    ) -> Tensor:
        """Target of u(z_t, t, r), (B, C, h, w); called without gradient.

        Args:
            student: average velocity with the current weights.
            u: student(z_t, t, r), already computed.
            v_target: teacher's guided velocity at (z_t, t).
            z_t: (B, C, h, w).
            t: start, (B,).
            r: end, (B,).
        """
