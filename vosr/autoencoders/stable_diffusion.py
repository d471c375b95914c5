"""Stable Diffusion 2.1's VAE, optionally with the light decoder."""

from typing import Any

from torch import Tensor, nn

from vosr.autoencoders.diffusers_vae import DIFFUSERS_FILES, build_vae, read_vae_config, rename_attention
from vosr.autoencoders.light_decoder import LightlyDecoded
from vosr.autoencoders.posterior import draw_latent
from vosr.core.frozen import FrozenModule
from vosr.core.types import RandomSource
from vosr.core.weights import Weights, on_meta, pretrained_module

_FOLDER = "stable-diffusion-2-1-base/vae"
SD2_VAE = Weights(
    title="Stable Diffusion 2.1 VAE",
    repo="CSWRY/VOSR",
    file=f"{_FOLDER}/{DIFFUSERS_FILES[0]}",
    shared=tuple(f"{_FOLDER}/{name}" for name in DIFFUSERS_FILES),
    own=(*DIFFUSERS_FILES, *(f"vae/{name}" for name in DIFFUSERS_FILES)),
    extra_files=("config.json",),
    licence="CreativeML Open RAIL++-M",
)

_CONFIG: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "scaling_factor": 0.18215,
}


class StableDiffusionVAE(FrozenModule, LightlyDecoded):
    """Stable Diffusion 2.1 VAE: 4 channels, factor 8; the released 0.5B models' autoencoder.

    Latents are scaled by 0.18215.
    A ``config.json`` beside the weights, in diffusers' layout, gives the sizes; without one
    they are Stable Diffusion's.

    Args:
        weights: file, folder or hub id of the VAE; by default it is looked up and then downloaded.
        light_decoder: file, folder or run of a light decoder to decode with, or "auto" to look the released one up and
            then download it; by default the VAE's own decoder decodes.
        pretrained: whether to load weights at all; false gives fixed random ones.
        overrides: replaces sizes: latent_channels, block_out_channels, layers_per_block, norm_num_groups,
            scaling_factor. A random light decoder has half of these widths.

    Raises:
        ValueError: weights or a configuration that do not fit.
        MissingWeightsError: no weights to be had.
    """

    working_bytes = 4200

    def __init__(
        self,
        weights: str | None = None,
        light_decoder: str | None = None,
        pretrained: bool = True,
        overrides: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        load = pretrained and not on_meta()
        path = SD2_VAE.locate(weights) if load else None
        unknown = sorted((overrides or {}).keys() - _CONFIG.keys())
        if unknown:
            raise ValueError(f"Unknown SD2 VAE option {unknown[0]!r}. Known: {', '.join(_CONFIG)}.")
        config = read_vae_config(path, _CONFIG) | (overrides or {})
        self.latent_channels = int(config["latent_channels"])
        self.factor = 2 ** (len(config["block_out_channels"]) - 1)
        self.scale = float(config["scaling_factor"])
        self.vae = pretrained_module(lambda: build_vae(config), path, rename_attention)
        self.decoder_widths = tuple(config["block_out_channels"])
        if light_decoder is not None:
            self.lighten(light_decoder, load)
            self.vae.decoder = self.vae.post_quant_conv = None
        self.freeze()

    def encode(self, image: Tensor, sample: bool = False, generator: RandomSource | None = None) -> Tensor:
        moments = self.vae.encode(image).latent_dist.parameters
        return draw_latent(moments, sample, generator) * self.scale

    def unscaled(self, latent: Tensor) -> Tensor:
        return latent / self.scale

    def decode_unscaled(self, latent: Tensor) -> Tensor:
        image: Tensor = self.vae.decode(latent).sample
        return image

    def up_blocks(self) -> list[nn.Module]:
        return list(self.vae.decoder.up_blocks)
