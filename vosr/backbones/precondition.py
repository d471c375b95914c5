"""Scaling around a network that predicts the difference of the clean latent to the LQ latent.

With the residual e = data - lq of std s, the noisy residual y = z_t - (1 - t) lq = (1 - t) e + t noise has the
variance D = (1 - t)^2 s^2 + t^2. As in Karras et al. (2022, section 5), the best linear guess of e from y is given
and the network supplies the rest at unit variance: e = (1 - t) s^2 / D y + s t / sqrt(D) F.
"""

import torch
from torch import Tensor

NOISE_SHARE = 0.2
"""Amplitude at which pure noise enters: a network that trains for minutes need not learn to cancel all of it."""


def network_input(x: Tensor, t: Tensor, residual_std: float) -> Tensor:
    """[lq, z_t] -> [lq, scaled y].

    Args:
        x: (B, 2C, h, w).
        t: (B,).
        residual_std: s.
    """
    lq, y, t, variance = _parts(x, t, residual_std)
    amplitude = (1 - t) * residual_std + NOISE_SHARE * t
    return torch.cat([lq, y * (amplitude / variance)], dim=1)


def network_velocity(x: Tensor, t: Tensor, output: Tensor, residual_std: float) -> Tensor:
    """Velocity noise - data that follows from the network's output F, (B, C, h, w).

    Exact for every t, 0 included: the divisions by t cancel.

    Args:
        x: [lq, z_t], (B, 2C, h, w).
        t: (B,).
        output: F, (B, C, h, w).
        residual_std: s.
    """
    lq, y, t, variance = _parts(x, t, residual_std)
    return (t - (1 - t) * residual_std**2) / variance * y - residual_std / variance.sqrt() * output - lq


def network_residual(x: Tensor, t: Tensor, output: Tensor, residual_std: float) -> Tensor:
    """The residual that :func:`network_velocity` adds to the LQ latent to predict the clean one, (B, C, h, w)."""
    _, y, t, variance = _parts(x, t, residual_std)
    return (1 - t) * residual_std**2 / variance * y + residual_std * t / variance.sqrt() * output


def velocity_to(x: Tensor, t: Tensor, residual: Tensor) -> Tensor:
    """Velocity towards the LQ latent plus ``residual`` (B, C, h, w); at t = 0, where there is none, as at t = 1e-4."""
    lq, z_t = x.chunk(2, dim=1)
    return (z_t - lq - residual) / t.view(-1, 1, 1, 1).clamp_min(1e-4)


def _parts(x: Tensor, t: Tensor, residual_std: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """LQ latent, noisy residual y, and t and the variance of y, both (B, 1, 1, 1)."""
    lq, z_t = x.chunk(2, dim=1)
    t = t.view(-1, 1, 1, 1)
    return lq, z_t - (1 - t) * lq, t, ((1 - t) * residual_std) ** 2 + t**2
