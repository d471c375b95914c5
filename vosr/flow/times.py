"""Training times and sampling grids."""

import math
from typing import Literal

import torch
from torch import Tensor

TimeDistribution = Literal["uniform", "logit_normal"]
Schedule = Literal["linear", "cosine"]


def sample_times(
    batch_size: int,
    distribution: TimeDistribution,
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Training times (B,): U(0, 1), or sigmoid(N(0, 1))."""
    if distribution == "uniform":
        return torch.rand(batch_size, generator=generator, device=device)
    return torch.randn(batch_size, generator=generator, device=device).sigmoid()


def shift_times(t: Tensor, shift: float) -> Tensor:
    """Move times towards noise, t -> s t / (1 + (s - 1) t); 1 leaves them (Esser et al. 2024, section 5.3.2)."""
    return shift * t / (1 + (shift - 1) * t)


def time_grid(steps: int, schedule: Schedule = "linear") -> list[float]:
    """Sampling times from 1 down to 0, ``steps`` + 1 of them.

    Raises:
        ValueError: fewer than one step.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}.")
    linear = [1 - i / steps for i in range(steps + 1)]
    if schedule == "linear":
        return linear
    return [math.sin(math.pi / 2 * t) for t in linear]
