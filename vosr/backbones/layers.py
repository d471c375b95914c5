"""Layers of LightningDiT. Attribute names are those of the released state dicts."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vosr.backbones.norms import EPS, modulated_norm, rms_norm, rotated_norm
from vosr.backbones.semantics import Constant, Context, KeysValues, Tokens, sample_count


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
        self.q_norm = nn.RMSNorm(width // heads, eps=EPS)
        self.k_norm = nn.RMSNorm(width // heads, eps=EPS)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, turn: Tensor) -> Tensor:
        """X (B, N, D), turn (N, head_dim / 2, 2)."""
        batch, tokens, width = x.shape
        qkv = self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads)
        qk = rotated_norm(qkv[:, :, :2], torch.stack([self.q_norm.weight, self.k_norm.weight]), turn)
        q, k, v = (each.transpose(1, 2) for each in (qk[:, :, 0], qk[:, :, 1], qkv[:, :, 2]))
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
        self.q_norm = nn.RMSNorm(width // heads, eps=EPS)
        self.k_norm = nn.RMSNorm(width // heads, eps=EPS)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, contexts: Sequence[Context]) -> Tensor:
        """``x`` (B, N, D) plus what it attends to, by consecutive segments of the batch."""
        if len(contexts) == 1:
            return self._added(x, contexts[0])
        parts = x.split([sample_count(context) for context in contexts])
        return torch.cat([self._added(part, context) for part, context in zip(parts, contexts)])

    def context(self, z: Tokens) -> KeysValues | Constant:
        """Keys and values of projected tokens (B, M, D); without gradient, the result for a single token."""
        if z.tokens.shape[1] == 1 and not torch.is_grad_enabled():
            return Constant(self.proj(self.v_linear(z.tokens)), z.copies)
        k, v = self._heads(self.k_linear(z.tokens)), self._heads(self.v_linear(z.tokens))
        return KeysValues(rms_norm(k, self.k_norm.weight), v, z.copies)

    def _added(self, x: Tensor, context: Context) -> Tensor:
        if isinstance(context, Tokens):
            context = self.context(context)
        if isinstance(context, Constant):
            return x + context.result.repeat(context.copies, 1, 1)
        keys, values, copies = context
        # Queries do not know of each other: those of all copies of a sample run together.
        q = self._heads(self.q_linear(x), copies)
        out = F.scaled_dot_product_attention(rms_norm(q, self.q_norm.weight), keys, values)
        out = out.unflatten(2, (copies, -1)).permute(2, 0, 3, 1, 4)
        return x + self.proj(out.reshape(x.shape))

    def _heads(self, x: Tensor, copies: int = 1) -> Tensor:
        """(copies * B, N, D) -> (B, heads, copies * N, head_dim)."""
        x = x.view(copies, -1, x.shape[1], self.heads, x.shape[2] // self.heads)
        return x.permute(1, 3, 0, 2, 4).flatten(2, 3)


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
        self.norm1 = nn.RMSNorm(width, eps=EPS)
        self.attn = SelfAttention(width, heads)
        self.cross_attn = CrossAttention(width, heads)
        self.norm2 = nn.RMSNorm(width, eps=EPS)
        self.mlp = SwiGLU(width, mlp_ratio)
        self.scale_shift_table = nn.Parameter(torch.empty(6, width))  # filled by reset_parameters

    def forward(self, x: Tensor, modulation: Tensor, contexts: Sequence[Context], turn: Tensor) -> Tensor:
        """X (B, N, D), modulation (B, 6, D), contexts by segment of the batch, turn (N, head_dim / 2, 2)."""
        m = self.scale_shift_table + modulation
        shift1, scale1, gate1, shift2, scale2, gate2 = m[:, :, None, :].unbind(1)
        attended = self.attn(modulated_norm(x, self.norm1.weight, scale1, shift1), turn)
        x = self.cross_attn(torch.addcmul(x, gate1, attended), contexts)
        return torch.addcmul(x, gate2, self.mlp(modulated_norm(x, self.norm2.weight, scale2, shift2)))


class FinalLayer(nn.Module):
    """Modulated norm and a linear map to p * p * C values per token."""

    def __init__(self, width: int, out_features: int) -> None:
        super().__init__()
        self.norm_final = nn.RMSNorm(width, eps=EPS)
        self.linear = nn.Linear(width, out_features)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(c)[:, None].chunk(2, dim=-1)
        return self.linear(modulated_norm(x, self.norm_final.weight, scale, shift))
