"""Fixed-grid integration of a velocity from noise to data (docs/method.md#sampling): one function a solver."""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from vosr.core.types import AverageVelocityFn

Solver = Literal["euler", "heun"]


def euler(velocity: AverageVelocityFn, z: Tensor, t: float, r: float) -> Tensor:
    """First-order step from t to r: one evaluation; exact for an average velocity."""
    return z - (t - r) * velocity(z, _each(t, z), _each(r, z))


def heun(velocity: AverageVelocityFn, z: Tensor, t: float, r: float) -> Tensor:
    """Second-order step from t to r, for instantaneous velocities: two evaluations, but one of the step to data."""
    v = velocity(z, _each(t, z), _each(r, z))
    if r > 0:
        v = (v + velocity(z - (t - r) * v, _each(r, z), _each(r, z))) / 2
    return z - (t - r) * v


SOLVERS: dict[Solver, Callable[[AverageVelocityFn, Tensor, float, float], Tensor]] = {
    "euler": euler,
    "heun": heun,
}


def integrate(
    velocity: AverageVelocityFn, noise: Tensor, times: list[float], solver: Solver = "euler"
) -> Tensor:
    """Integrate ``velocity`` from ``noise`` at times[0] to times[-1].

    Args:
        velocity: (z, t (B,), r (B,)) -> (B, C, h, w); r is the end of the step, which an instantaneous velocity
            ignores and an average velocity uses.
        noise: start, (B, C, h, w).
        times: falling grid, see :func:`vosr.flow.times.time_grid`.
        solver: the step from each time to the next, by its name in :data:`SOLVERS`.
    """
    z = noise
    for t, r in pairwise(times):
        z = SOLVERS[solver](velocity, z, t, r)
    return z


def _each(time: float, z: Tensor) -> Tensor:
    """The same time for every image, (B,)."""
    return torch.full((z.shape[0],), time, device=z.device)
