"""Images with known properties, and a tiny Stable Diffusion autoencoder whose weights matter."""

import numpy as np
import torch

from vosr.autoencoders import AUTOENCODERS


def smooth(height, width):
    """Slow colour waves, (H, W, 3) uint8."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 37 + 1), np.cos(y / 23), np.sin((x + y) / 51)]
    return np.uint8(np.stack([127 + 90 * wave for wave in waves], axis=-1))


def textured(height, width, seed=0):
    """Noise at several scales, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for step in (1, 4, 16):
        noise = rng.normal(size=(-(-height // step), -(-width // step), 3))
        total += noise.repeat(step, axis=0).repeat(step, axis=1)[:height, :width]
    return np.uint8(np.clip(127 + 30 * total, 0, 255))


def small_sd2():
    """Random weights, group norms of four groups; three levels of small width."""
    torch.manual_seed(0)
    sizes = {"block_out_channels": [8, 16, 16, 16], "norm_num_groups": 4, "layers_per_block": 1}
    return AUTOENCODERS.build("sd2", pretrained=False, overrides=sizes)


def small_qwen():
    sizes = {"base_dim": 8, "z_dim": 4, "dim_mult": [1, 2, 2, 2], "num_res_blocks": 1}
    moments = {"latents_mean": [0.0] * 4, "latents_std": [1.0] * 4}
    return AUTOENCODERS.build("qwen", pretrained=False, overrides=sizes | moments)


def small_dct():
    return AUTOENCODERS.build("dct", factor=8, luma=8, chroma=2)
