"""Noise fields that depend on an image's seed and the pixel's place alone.

A counter-based hash: no generator state, so a batch draws what its images would draw one by one, on any device.
"""

import math

import torch
from torch import Tensor


def normal_field(seed: Tensor, height: int, width: int, channels: int = 3) -> Tensor:
    """Standard normal (B, channels, height, width) for seeds (B,), int64 below 2^31; grows without changing."""
    device = seed.device
    rows = torch.arange(height, device=device, dtype=torch.int32).view(1, 1, -1, 1)
    columns = torch.arange(width, device=device, dtype=torch.int32).view(1, 1, 1, -1)
    channel = torch.arange(channels, device=device, dtype=torch.int32).view(1, -1, 1, 1)
    state = _mix(seed.to(torch.int32).view(-1, 1, 1, 1) + channel * 0x1E3779B9)
    state = _mix(state + rows)
    state = _mix(state + columns)
    uniform = ((state >> 9) & 0x7FFFFF).float().add_(0.5).mul_(2.0**-23)
    return uniform.mul_(2).sub_(1).erfinv_().mul_(math.sqrt(2))  # the normal quantile


def _mix(x: Tensor) -> Tensor:
    """A bijection of 32-bit words in which every input bit flips about half of the output bits."""
    x = (((x >> 16) & 0xFFFF) ^ x) * 0x21F0AAAD
    x = (((x >> 15) & 0x1FFFF) ^ x) * 0x735A2D97
    return ((x >> 15) & 0x1FFFF) ^ x
