"""Fixed-grid integration of a velocity from noise to data (docs/method.md#sampling)."""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from vosr.core.types import AverageVelocityFn

Solver = Literal["euler", "heun"]


def integrate(
    velocity: AverageVelocityFn, noise: Tensor, times: list[float], solver: Solver = "euler"
) -> Tensor:
    """Walk from ``noise`` at times[0] to times[-1].

    Args:
        velocity: (z, t (B,), r (B,)) -> (B, C, h, w); r is the end of the step, which an instantaneous velocity
            ignores and an average velocity uses.
        noise: start, (B, C, h, w).
        times: falling grid, see :func:`vosr.flow.times.time_grid`.
        solver: "euler", or "heun" (second order, two evaluations a step but for the last; for instantaneous
            velocities: an average velocity is already exact over its step).
    """
    z = noise
    for start, end in pairwise(times):
        t = torch.full((z.shape[0],), start, device=z.device)
        r = torch.full((z.shape[0],), end, device=z.device)
        v = velocity(z, t, r)
        if solver == "heun" and end > 0:
            v = (v + velocity(z - (start - end) * v, r, r)) / 2
        z = z - (start - end) * v
    return z
