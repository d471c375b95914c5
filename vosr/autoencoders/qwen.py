"""The image-only Qwen-Image VAE, from its 2-D file or from the published 3-D one."""

from typing import Any

import torch
from torch import Tensor, nn

from vosr.autoencoders.diffusers_vae import read_vae_config
from vosr.autoencoders.light_decoder import LightlyDecoded
from vosr.autoencoders.posterior import draw_latent
from vosr.autoencoders.qwen_layers import QwenNetwork
from vosr.core.frozen import FrozenModule
from vosr.core.types import RandomSource
from vosr.core.weights import State, Weights, on_meta, pretrained_module

QWEN_VAE = Weights(
    title="Qwen-Image VAE",
    repo="CSWRY/VOSR",
    file="Qwen-Image-vae-2d/diffusion_pytorch_model.safetensors",
    shared=(
        "Qwen-Image-vae-2d/diffusion_pytorch_model.safetensors",
        "Qwen-Image/vae/diffusion_pytorch_model.safetensors",
    ),
    own=("diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors"),
    extra_files=("config.json",),
    licence="Apache-2.0",
)

_CONFIG: dict[str, Any] = {
    "base_dim": 96,
    "z_dim": 16,
    "dim_mult": [1, 2, 4, 4],
    "num_res_blocks": 2,
    "latents_mean": [
        *(-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508),
        *(0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921),
    ],
    "latents_std": [
        *(2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743),
        *(3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160),
    ],
}  # fmt: skip


class QwenVAE(FrozenModule, LightlyDecoded):
    """Qwen-Image VAE for single images: 16 channels, factor 8; the released 1.4B models' autoencoder.

    Latents are (z - mean) / std per channel. A ``config.json`` beside the weights gives the sizes, the means
    and the stds; without one they are the published model's.

    Args:
        weights: file, folder or hub id of the 2-D VAE or of the published 3-D one; by default it is looked up
            and then downloaded.
        light_decoder: file, folder or run of a light decoder to decode with; by default the VAE's own decoder decodes.
        pretrained: whether to load weights at all; false gives fixed random ones.
        overrides: replaces sizes of the published model: base_dim, z_dim, dim_mult, num_res_blocks,
            latents_mean, latents_std.

    Raises:
        ValueError: weights or a configuration that do not fit.
        MissingWeightsError: no weights to be had.
    """

    working_bytes = 2900
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        weights: str | None = None,
        light_decoder: str | None = None,
        pretrained: bool = True,
        overrides: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        load = pretrained and not on_meta()
        path = QWEN_VAE.locate(weights) if load else None
        config = read_vae_config(path, _CONFIG | {"attn_scales": []})
        if scales := config.pop("attn_scales"):
            raise ValueError(f"attn_scales beside {path} must be empty, not {scales!r:.80}.")
        config |= overrides or {}
        _check(config)
        self.latent_channels = int(config["z_dim"])
        self.factor = 2 ** (len(config["dim_mult"]) - 1)
        sizes = {key: config[key] for key in ("base_dim", "z_dim", "dim_mult", "num_res_blocks")}
        self.network = pretrained_module(lambda: QwenNetwork(**sizes), path, drop_time)
        for name in ("mean", "std"):
            values = torch.tensor(config[f"latents_{name}"], dtype=torch.float32).view(-1, 1, 1)
            self.register_buffer(name, values, persistent=False)
        self.decoder_widths = tuple(config["base_dim"] * times for times in config["dim_mult"])
        if light_decoder is not None:
            self.lighten(light_decoder, load)
            del self.network.decoder, self.network.post_quant_conv
        self.freeze()

    def encode(self, image: Tensor, sample: bool = False, generator: RandomSource | None = None) -> Tensor:
        latent = draw_latent(self.network.encode(image), sample, generator)
        return (latent - self.mean) / self.std

    def unscaled(self, latent: Tensor) -> Tensor:
        return latent * self.std + self.mean

    def decode_unscaled(self, latent: Tensor) -> Tensor:
        return self.network.decode(latent)

    def up_blocks(self) -> list[nn.Module]:
        return list(self.network.decoder.up_blocks)


def drop_time(state: State) -> State:
    """State dict of the 2-D network from that of the 3-D one; a 2-D one passes unchanged.

    See docs/method.md#released-checkpoints.

    A causal kernel sees a single image, after its zero padding in the past, with its last temporal slice.
    """
    flat = {}
    for name, value in state.items():
        if ".time_conv." in name:
            continue
        if name.endswith(".gamma"):
            value = value.reshape(-1, 1, 1)
        elif value.ndim == 5:
            value = value[:, :, -1]
        flat[name] = value
    return flat


def _check(config: dict[str, Any]) -> None:
    unknown = config.keys() - _CONFIG.keys()
    if unknown:
        raise ValueError(
            f"Unknown Qwen VAE option {sorted(unknown)[0]!r}. Known: {', '.join(sorted(_CONFIG))}."
        )
    for key in ("latents_mean", "latents_std"):
        if len(config[key]) != config["z_dim"]:
            raise ValueError(f"{key} must have z_dim = {config['z_dim']} numbers, not {len(config[key])}.")
