"""Diagonal Gaussian posterior of a variational autoencoder."""

import torch
from torch import Tensor


def draw_latent(moments: Tensor, sample: bool, generator: torch.Generator | None = None) -> Tensor:
    """Mode or a sample of the posterior.

    Args:
        moments: means, then log variances along the channels, (B, 2C, h, w).
        sample: draw instead of taking the mode.
        generator: source of the draw, on any device.

    Returns:
        (B, C, h, w).
    """
    mean, log_variance = moments.chunk(2, dim=1)
    if not sample:
        return mean
    device = mean.device if generator is None else generator.device
    noise = torch.randn(mean.shape, generator=generator, device=device, dtype=mean.dtype).to(mean.device)
    return mean + (log_variance.clamp(-30, 20) / 2).exp() * noise
