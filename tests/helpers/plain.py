"""The backbone in the official arithmetic: every evaluation forms everything again, operation by operation.

What the optimised path is compared with, in values, gradients (tests) and time (benchmarks).
"""

import torch
import torch.nn.functional as F

from vosr.backbones.norms import EPS
from vosr.backbones.precondition import network_input, network_velocity
from vosr.core.types import Condition


def rms_norm(x, weight):
    x32 = x.float()
    return (x32 * torch.rsqrt(x32.square().mean(-1, keepdim=True) + EPS)).to(x.dtype) * weight


def rotate(x, cos, sin):
    even, odd = x[..., 0::2], x[..., 1::2]
    return x * cos + torch.stack([-odd, even], dim=-1).flatten(-2) * sin


def self_attention(layer, x, cos, sin):
    batch, tokens, width = x.shape
    qkv = layer.qkv(x).view(batch, tokens, 3, layer.heads, -1).permute(2, 0, 3, 1, 4)
    q, k, v = qkv.unbind(0)
    q = rotate(rms_norm(q, layer.q_norm.weight), cos, sin).to(v.dtype)
    k = rotate(rms_norm(k, layer.k_norm.weight), cos, sin).to(v.dtype)
    return layer.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, width))


def cross_attention(layer, x, z):
    def heads(y):
        return y.view(y.shape[0], y.shape[1], layer.heads, -1).transpose(1, 2)

    q, k, v = heads(layer.q_linear(x)), heads(layer.k_linear(z)), heads(layer.v_linear(z))
    q, k = rms_norm(q, layer.q_norm.weight).to(v.dtype), rms_norm(k, layer.k_norm.weight).to(v.dtype)
    return layer.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def mlp(layer, x):
    gate, value = layer.w12(x).chunk(2, dim=-1)
    return layer.w3(F.silu(gate) * value)


def block(layer, x, modulation, z, cos, sin):
    m = layer.scale_shift_table + modulation
    shift1, scale1, gate1, shift2, scale2, gate2 = m[:, :, None, :].unbind(1)
    x = x + gate1 * self_attention(
        layer.attn, rms_norm(x, layer.norm1.weight) * (1 + scale1) + shift1, cos, sin
    )
    x = x + cross_attention(layer.cross_attn, x, z)
    return x + gate2 * mlp(layer.mlp, rms_norm(x, layer.norm2.weight) * (1 + scale2) + shift2)


def forward(model, x, t, semantics, r=None):
    """What ``model(x, t, semantics, r)`` must give."""
    height, width = x.shape[-2] // model.patch_size, x.shape[-1] // model.patch_size
    angles = model.angles(height, width, x.device).repeat_interleave(2, -1)
    cos, sin = angles.cos(), angles.sin()
    c = model._time(t, r)
    modulation = model.t_block(c).unflatten(1, (6, -1))
    z = model.mlp_ca(model.layer_norm(semantics))
    residual = model.prediction == "residual"
    tokens = model.x_embedder(network_input(x, t, model.residual_std) if residual else x)
    for layer in model.blocks:
        tokens = block(layer, tokens, modulation, z, cos, sin)
    final = model.final_layer
    shift, scale = final.adaLN_modulation(c)[:, None].chunk(2, dim=-1)
    out = final.linear(rms_norm(tokens, final.norm_final.weight) * (1 + scale) + shift)
    out = model._unpatchify(out, height, width)
    return network_velocity(x, t, out, model.residual_std) if residual else out


class PlainBackbone:
    """Evaluates a backbone plainly; stands for it in sampling and in objectives."""

    def __init__(self, model):
        self.model = model
        self.end_time = model.end_time

    def prepared(self, condition):
        return Condition(condition.latent, condition.tokens.contiguous())

    def velocity(self, z_t, t, condition, r=None):
        return forward(self.model, torch.cat([condition.latent, z_t], dim=1), t, condition.tokens, r)
