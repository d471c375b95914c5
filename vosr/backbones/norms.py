"""RMS normalisation in one kernel each way where there is one, and in few passes where there is none.

torch has a fused kernel for accelerators, which wants the gain in the type of its input; on the CPU its norm runs
operation by operation. The functions below do the same arithmetic there in fewer passes over memory, with their
derivatives written out. They compute in float32 and return the type of their input. Compilers get the plain formula.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

EPS = 1e-6


def rms_norm(x: Tensor, gain: Tensor) -> Tensor:
    """RMS norm over the last axis, times ``gain`` (D,)."""
    if _by_hand(x):
        y: Tensor = _Norm.apply(x, gain.float(), None)  # gathered weights may be bfloat16
        return y
    return F.rms_norm(x, x.shape[-1:], gain.to(x.dtype), EPS)


def modulated_norm(x: Tensor, gain: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """``rms_norm(x, gain) * (1 + scale) + shift``; x (B, N, D), scale and shift (B, 1, D)."""
    gain = torch.addcmul(gain, gain, scale)
    if _by_hand(x):
        y: Tensor = _Norm.apply(x, gain.float(), shift.float())
        return y
    return torch.addcmul(shift, F.rms_norm(x, x.shape[-1:], None, EPS), gain)


def rotated_norm(qk: Tensor, gains: Tensor, turn: Tensor) -> Tensor:
    """RMS norm of every head's queries and keys, turned by their positions.

    Args:
        qk: (B, N, 2, heads, d).
        gains: of queries and of keys, (2, d).
        turn: cosine and sine of each channel pair's angle, (N, d / 2, 2).
    """
    if _by_hand(qk):
        y: Tensor = _RotatedNorm.apply(qk, gains[:, None].float(), torch.view_as_complex(turn)[:, None, None])
        return y
    h = F.rms_norm(qk, qk.shape[-1:], None, EPS) * gains[:, None].to(qk.dtype)
    cos, sin = turn[:, None, None].unbind(-1)
    even, odd = h[..., 0::2], h[..., 1::2]
    pairs = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    return pairs.flatten(-2).to(qk.dtype)


def _by_hand(x: Tensor) -> bool:
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def _inverse(x: Tensor) -> Tensor:
    """1 / sqrt(mean(x^2) + eps) over the last axis, (…, 1) in float32."""
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
    return norm.square_().div_(x.shape[-1]).add_(EPS).rsqrt_()


class _Norm(torch.autograd.Function):
    """Y = h * gain + shift, h = x * inverse; gain (D,), or (B, 1, D) with a shift of that shape."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, shift: Tensor | None) -> Tensor:
        inverse = _inverse(x)
        ctx.save_for_backward(x, inverse, gain)
        h = x * inverse
        return (h.mul_(gain) if shift is None else torch.addcmul(shift, h, gain)).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, inverse, gain = ctx.saved_tensors
        h = x * inverse
        gh = g * h
        dot = torch.matmul(gh, gain.mT if gain.ndim > 1 else gain[:, None]).div_(-x.shape[-1])
        dx = (g * gain).addcmul_(h, dot).mul_(inverse).to(x.dtype)
        return dx, gh.sum_to_size(gain.shape), g.sum(1, keepdim=True) if ctx.needs_input_grad[2] else None


class _RotatedNorm(torch.autograd.Function):
    """Channel pairs of h * gain as complex numbers, times ``turn``; qk (B, N, 2, heads, d), gain (2, 1, d)."""

    @staticmethod
    def forward(ctx: Any, qk: Tensor, gain: Tensor, turn: Tensor) -> Tensor:
        inverse = _inverse(qk)
        ctx.save_for_backward(qk, inverse, gain, turn)
        pairs = _pairs((qk * inverse).mul_(gain)).mul_(turn)
        return torch.view_as_real(pairs).flatten(-2).to(qk.dtype)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, None]:
        qk, inverse, gain, turn = ctx.saved_tensors
        g = torch.view_as_real(_pairs(g.float().contiguous()) * turn.conj()).flatten(-2)
        h = qk * inverse
        gh = g * h
        dgain = gh.sum((0, 1, 3)).unsqueeze(1)
        dot = gh.mul_(gain).sum(-1, keepdim=True).div_(-qk.shape[-1])
        return g.mul_(gain).addcmul_(h, dot).mul_(inverse).to(qk.dtype), dgain, None


def _pairs(x: Tensor) -> Tensor:
    """Neighbouring channels as real and imaginary part, (…, d) -> complex (…, d / 2)."""
    return torch.view_as_complex(x.unflatten(-1, (-1, 2)))
