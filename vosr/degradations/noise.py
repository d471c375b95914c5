"""Gaussian and Poisson noise, colour or grey, chosen per image (docs/method.md#degradation)."""

from collections.abc import Callable

import torch
from torch import Tensor

LUMA = torch.tensor((0.299, 0.587, 0.114), device="cpu")


def gaussian_noise(normal: Tensor, sigma: Tensor) -> Tensor:
    """Sigma / 255 * N(0, 1); ``sigma`` in 8-bit steps, (B,)."""
    return normal * (sigma / 255).view(-1, 1, 1, 1)


def poisson_noise(image: Tensor, normal: Tensor, scale: Tensor) -> Tensor:
    """Scale * (Poisson(x L) / L - x), L = 2^ceil(log2(distinct 8-bit values of the image)).

    Args:
        image: (B, C, H, W) in [0, 1].
        normal: standard normal field of the same shape, turned into Poisson counts.
        scale: (B,).
    """
    x = (image.clamp(0, 1) * 255).round()
    present = torch.zeros(x.shape[0], 256, device=x.device).scatter_(1, x.flatten(1).long(), 1.0)
    levels = torch.exp2(present.sum(1).log2().ceil()).view(-1, 1, 1, 1)
    x = x / 255
    return scale.view(-1, 1, 1, 1) * (poisson_counts(x * levels, normal) / levels - x)


def poisson_counts(rate: Tensor, normal: Tensor) -> Tensor:
    """Poisson counts as a function of standard normal numbers: the rounded Cornish-Fisher quantile.

    Within 2 % of the true mean and variance from rate 1 on; a rate of 0 gives 0.
    """
    root = rate.clamp_min(1e-4).sqrt()
    square = normal.square()
    quantile = rate + root * normal + (square - 1) / 6 - normal * (square - 1) / (72 * root)
    return torch.where(rate > 0, quantile.round().clamp_min(0), 0.0)


def luma(image: Tensor) -> Tensor:
    """Weighted grey (B, 1, H, W) of RGB."""
    return torch.einsum("bchw,c->bhw", image, LUMA.to(image, non_blocking=True))[:, None]


def mixed_noise(
    image: Tensor, normal: Tensor, gaussian: Tensor, grey: Tensor, sigma: Tensor, scale: Tensor
) -> Tensor:
    """Add Gaussian or Poisson noise, colour or grey, as each image's flags say; clamped to [0, 1].

    Args:
        image: (B, 3, H, W).
        normal: field of the same shape; grey noise uses its first channel, and needs no more where all is grey.
        gaussian: bool (B,), on the CPU: Gaussian, else Poisson.
        grey: bool (B,), on the CPU: one field for all channels.
        sigma: of the Gaussian noise in 8-bit steps, (B,).
        scale: of the Poisson noise, (B,).
    """
    device = image.device
    normal = _chosen(grey, lambda: normal[:, :1], lambda: normal, device)
    signal = _chosen(grey, lambda: luma(image), lambda: image, device)
    noise = _chosen(
        gaussian,
        lambda: gaussian_noise(normal, sigma),
        lambda: poisson_noise(signal, normal, scale),
        device,
    )
    return (image + noise).clamp_(0, 1)


def _chosen(
    flags: Tensor, yes: Callable[[], Tensor], no: Callable[[], Tensor], device: torch.device
) -> Tensor:
    """What each image's flag chooses; what no image chooses is not computed."""
    if bool(flags.all()):
        return yes()
    if not bool(flags.any()):
        return no()
    return torch.where(flags.view(-1, 1, 1, 1).to(device, non_blocking=True), yes(), no())
