"""Layers of LightningDiT. Attribute names are those of the released state dicts."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vosr.backbones.rope import rotate

NORM_EPS = 1e-6


def small_linears(module: nn.Module, std: float) -> None:
    """Draw the weights of every linear layer inside from N(0, std^2); biases zero."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)


class PatchEmbed(nn.Module):
    """p x p convolution, (B, C, h, w) -> (B, N, D)."""

    def __init__(self, channels: int, patch_size: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch_size, stride=patch_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class TimeEmbedder(nn.Module):
    """Sinusoid of a time in [0, 1] (not scaled by 1000) through a two-layer network, (B,) -> (B, D)."""

    def __init__(self, width: int, frequencies: int = 256, max_period: float = 10_000.0) -> None:
        super().__init__()
        self.frequencies = frequencies
        self.max_period = max_period
        self.mlp = nn.Sequential(nn.Linear(frequencies, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        half = self.frequencies // 2
        exponent = torch.arange(half, dtype=torch.float32, device=t.device) / half
        angle = t.float()[:, None] * torch.exp(-math.log(self.max_period) * exponent)
        sinusoid = torch.cat([angle.cos(), angle.sin()], dim=-1)
        return self.mlp(sinusoid.to(next(self.mlp.parameters()).dtype))


class SelfAttention(nn.Module):
    """Fused qkv with bias, RMSNorm on q and k per head, rotary positions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.q_norm = nn.RMSNorm(width // heads, eps=NORM_EPS)
        self.k_norm = nn.RMSNorm(width // heads, eps=NORM_EPS)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        qkv = self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        q = rotate(self.q_norm(q), cos, sin).to(v.dtype)
        k = rotate(self.k_norm(k), cos, sin).to(v.dtype)
        out = F.scaled_dot_product_attention(q, k, v)
        return self.proj(out.transpose(1, 2).reshape(batch, tokens, width))


class CrossAttention(nn.Module):
    """Queries from the image tokens, keys and values from the projected semantics; no positions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_linear = nn.Linear(width, width)
        self.k_linear = nn.Linear(width, width)
        self.v_linear = nn.Linear(width, width)
        self.q_norm = nn.RMSNorm(width // heads, eps=NORM_EPS)
        self.k_norm = nn.RMSNorm(width // heads, eps=NORM_EPS)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        q, k, v = self._heads(self.q_linear(x)), self._heads(self.k_linear(z)), self._heads(self.v_linear(z))
        out = F.scaled_dot_product_attention(self.q_norm(q).to(v.dtype), self.k_norm(k).to(v.dtype), v)
        return self.proj(out.transpose(1, 2).flatten(2))

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)


class SwiGLU(nn.Module):
    """Gated MLP with a fused first matrix; hidden width int(2/3 * ratio * D)."""

    def __init__(self, width: int, ratio: float) -> None:
        super().__init__()
        hidden = int(2 / 3 * int(width * ratio))
        self.w12 = nn.Linear(width, 2 * hidden)
        self.w3 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.w12(x).chunk(2, dim=-1)
        return self.w3(F.silu(gate) * value)


class SemanticProjection(nn.Module):
    """Two-layer network from the encoder's width to the backbone's, (B, M, Z) -> (B, M, D)."""

    def __init__(self, semantic_dim: int, width: int, ratio: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(semantic_dim, ratio * width)
        self.fc2 = nn.Linear(ratio * width, width)

    def forward(self, z: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(z), approximate="tanh"))


class Block(nn.Module):
    """Self-attention, cross-attention to the semantics, SwiGLU; modulated by one shared vector."""

    def __init__(self, width: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.RMSNorm(width, eps=NORM_EPS)
        self.attn = SelfAttention(width, heads)
        self.cross_attn = CrossAttention(width, heads)
        self.norm2 = nn.RMSNorm(width, eps=NORM_EPS)
        self.mlp = SwiGLU(width, mlp_ratio)
        self.scale_shift_table = nn.Parameter(torch.randn(6, width) / width**0.5)

    def forward(self, x: Tensor, modulation: Tensor, z: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """X (B, N, D), modulation (B, 6, D), z (B, M, D), cos and sin (N, head_dim)."""
        m = self.scale_shift_table + modulation
        shift1, scale1, gate1, shift2, scale2, gate2 = m[:, :, None, :].unbind(1)
        x = x + gate1 * self.attn(self.norm1(x) * (1 + scale1) + shift1, cos, sin)
        x = x + self.cross_attn(x, z)
        return x + gate2 * self.mlp(self.norm2(x) * (1 + scale2) + shift2)


class FinalLayer(nn.Module):
    """Modulated norm and a linear map to p * p * C values per token."""

    def __init__(self, width: int, out_features: int) -> None:
        super().__init__()
        self.norm_final = nn.RMSNorm(width, eps=NORM_EPS)
        self.linear = nn.Linear(width, out_features)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(c)[:, None].chunk(2, dim=-1)
        return self.linear(self.norm_final(x) * (1 + scale) + shift)
