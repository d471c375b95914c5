"""Diagonal Gaussian posterior of a variational autoencoder."""

from collections.abc import Sequence

import torch
from torch import Tensor

from vosr.core.types import RandomSource


def draw_latent(moments: Tensor, sample: bool, generator: RandomSource | None = None) -> Tensor:
    """Mode or a sample of the posterior.

    Args:
        moments: means, then log variances along the channels, (B, 2C, h, w).
        sample: draw instead of taking the mode.
        generator: source of the draw, on any device; a sequence has one for each sample.

    Returns:
        (B, C, h, w).
    """
    mean, log_variance = moments.chunk(2, dim=1)
    if not sample:
        return mean
    return mean + (log_variance.clamp(-30, 20) / 2).exp() * _noise(mean, generator)


def _noise(like: Tensor, generator: RandomSource | None) -> Tensor:
    if isinstance(generator, Sequence):
        return torch.cat([_noise(one, stream) for one, stream in zip(like.split(1), generator, strict=True)])
    device = like.device if generator is None else generator.device
    return torch.randn(like.shape, generator=generator, device=device, dtype=like.dtype).to(like.device)


def kl_divergence(moments: Tensor) -> Tensor:
    """Divergence of the posterior from a standard normal distribution in nats per latent value, a scalar.

    Args:
        moments: means, then log variances along the channels, (B, 2C, h, w).
    """
    mean, log_variance = moments.float().chunk(2, dim=1)
    log_variance = log_variance.clamp(-30, 20)
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
