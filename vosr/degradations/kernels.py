"""Blur kernels of Real-ESRGAN for a whole batch at once (docs/method.md#degradation)."""

import math

import torch
from torch import Tensor

FAMILIES = ("iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso")
LARGEST = 21
"""Kernels are padded with zeros to this size."""


def blur_kernels(
    family: Tensor, size: Tensor, sigma_x: Tensor, sigma_y: Tensor, theta: Tensor, beta: Tensor
) -> Tensor:
    """Normalised kernels (B, 21, 21), in the precision of ``sigma_x``.

    Args:
        family: index into :data:`FAMILIES`, (B,).
        size: odd side in pixels, at most 21, (B,); zero outside.
        sigma_x: standard deviation along the first axis, pixels, (B,).
        sigma_y: along the second axis; equal to ``sigma_x`` for isotropic families.
        theta: rotation in radians, (B,).
        beta: exponent of the generalised and plateau families, (B,).
    """
    y, x, inside = _grid(size, sigma_x.dtype)
    cos, sin = (f(theta).view(-1, 1, 1) for f in (torch.cos, torch.sin))
    along = (cos * x + sin * y) / sigma_x.view(-1, 1, 1)
    across = (cos * y - sin * x) / sigma_y.view(-1, 1, 1)
    q = along.square() + across.square()
    exponent = beta.view(-1, 1, 1)
    group = (family // 2).view(-1, 1, 1)
    generalised = torch.exp(-0.5 * torch.where(group == 0, q, q**exponent))
    kernel = torch.where(group == 2, 1 / (q**exponent + 1), generalised)
    return _normalised(kernel * inside)


def sinc_kernels(size: Tensor, cutoff: Tensor) -> Tensor:
    """Circular low-pass kernels (B, 21, 21) that ring; ``cutoff`` in radians per pixel, (B,)."""
    y, x, inside = _grid(size, cutoff.dtype)
    radius = (x.square() + y.square()).sqrt()
    cutoff = cutoff.view(-1, 1, 1)
    centre = cutoff.square() / (4 * math.pi)
    ring = cutoff * torch.special.bessel_j1(cutoff * radius) / (2 * math.pi * radius.clamp_min(0.5))
    return _normalised(torch.where(radius > 0, ring, centre) * inside)


def identity_kernels(batch_size: int) -> Tensor:
    """Kernels that change nothing, (B, 21, 21)."""
    kernel = torch.zeros(batch_size, LARGEST, LARGEST)
    kernel[:, LARGEST // 2, LARGEST // 2] = 1
    return kernel


def _grid(size: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    axis = torch.arange(LARGEST, dtype=dtype) - LARGEST // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    inside = torch.maximum(x.abs(), y.abs()) <= (size // 2).view(-1, 1, 1)
    return y, x, inside.to(dtype)


def _normalised(kernel: Tensor) -> Tensor:
    return kernel / kernel.sum(dim=(1, 2), keepdim=True)


def gaussian_kernels(side: int, sigma_x: Tensor, sigma_y: Tensor, theta: Tensor) -> Tensor:
    """Gaussians (B, side, side) of two stds in pixels, turned by ``theta`` radians, (B,) each."""
    along, across = _turned(side, theta)
    q = (along / sigma_x.view(-1, 1, 1)).square() + (across / sigma_y.view(-1, 1, 1)).square()
    return _normalised(torch.exp(-0.5 * q))


def motion_kernels(side: int, length: Tensor, theta: Tensor) -> Tensor:
    """Segments (B, side, side) through the centre, one pixel thick with soft ends.

    Args:
        side: odd.
        length: in pixels, (B,).
        theta: direction in radians, (B,).
    """
    along, across = _turned(side, theta)
    inside = (length.view(-1, 1, 1) / 2 + 0.5 - along.abs()).clamp(0, 1)
    return _normalised(inside * (1 - across.abs()).clamp_min(0))


def disk_kernels(side: int, radius: Tensor) -> Tensor:
    """Disks (B, side, side) of a radius in pixels, (B,), with an edge that is one pixel soft."""
    along, across = _turned(side, torch.zeros_like(radius))
    distance = (along.square() + across.square()).sqrt()
    return _normalised((radius.view(-1, 1, 1) + 0.5 - distance).clamp(0, 1))


def _turned(side: int, theta: Tensor) -> tuple[Tensor, Tensor]:
    axis = torch.arange(side, dtype=theta.dtype) - side // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    cos, sin = (f(theta).view(-1, 1, 1) for f in (torch.cos, torch.sin))
    return cos * x + sin * y, cos * y - sin * x
