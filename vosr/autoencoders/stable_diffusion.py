"""Stable Diffusion 2.1's VAE, optionally with the light decoder."""

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from vosr.autoencoders.base import Autoencoder
from vosr.autoencoders.light_decoder import LIGHT_DECODER, build_light_decoder, load_light_decoder
from vosr.autoencoders.posterior import draw_latent
from vosr.core.frozen import FrozenModule
from vosr.core.types import RandomSource
from vosr.core.weights import (
    State,
    Weights,
    empty_module,
    load_strictly,
    on_meta,
    random_module,
    read_tensors,
)

_FOLDER = "stable-diffusion-2-1-base/vae"
_FILES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
SD2_VAE = Weights(
    title="Stable Diffusion 2.1 VAE",
    repo="CSWRY/VOSR",
    file=f"{_FOLDER}/{_FILES[0]}",
    shared=tuple(f"{_FOLDER}/{name}" for name in _FILES),
    own=(*_FILES, *(f"vae/{name}" for name in _FILES)),
    companions=("config.json",),
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


class StableDiffusionVAE(FrozenModule, Autoencoder):
    """Stable Diffusion 2.1 VAE: 4 channels, factor 8; the released 0.5B models' autoencoder.

    Latents are scaled by 0.18215.
    A ``config.json`` beside the weights, in diffusers' layout, gives the sizes; without one
    they are Stable Diffusion's.

    Args:
        weights: file, folder or hub id of the VAE; by default it is looked up and then downloaded.
        light_decoder: file or folder of the released half-width decoder to decode with, or "auto" to look it
            up and then download it; by default the VAE's own decoder decodes.
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
        place = None if light_decoder == "auto" else light_decoder
        light_path = LIGHT_DECODER.locate(place) if load and light_decoder is not None else None
        unknown = sorted((overrides or {}).keys() - _CONFIG.keys())
        if unknown:
            raise ValueError(f"Unknown SD2 VAE option {unknown[0]!r}. Known: {', '.join(_CONFIG)}.")
        config = _read_config(path) | (overrides or {})
        self.latent_channels = int(config["latent_channels"])
        self.factor = 2 ** (len(config["block_out_channels"]) - 1)
        self.scale = float(config["scaling_factor"])
        if path is None:
            self.vae = random_module(lambda: _build(config))
        else:
            self.vae = empty_module(lambda: _build(config))
            load_strictly(self.vae, rename_attention(read_tensors(path)), path)
        self.light = None
        if light_decoder is not None:
            widths = tuple(width // 2 for width in config["block_out_channels"])
            self.light = (
                load_light_decoder(light_path)
                if light_path is not None
                else random_module(lambda: build_light_decoder(widths, config["layers_per_block"]))
            )
            self.vae.decoder = self.vae.post_quant_conv = None
        self.freeze()

    def encode(self, image: Tensor, sample: bool = False, generator: RandomSource | None = None) -> Tensor:
        moments = self.vae.encode(image).latent_dist.parameters
        return draw_latent(moments, sample, generator) * self.scale

    def decode(self, latent: Tensor) -> Tensor:
        """Image, not clamped. The light decoder skips the VAE's 1 x 1 convolution before decoding."""
        latent = latent / self.scale
        image: Tensor = self.vae.decode(latent).sample if self.light is None else self.light(latent)
        return image


def rename_attention(state: State) -> State:
    """Today's names for those of early diffusers, whose attention projections may be 1 x 1 convolutions."""
    names = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
    renamed = {}
    for name, value in state.items():
        head, _, leaf = name.rpartition(".")
        owner, _, layer = head.rpartition(".")
        if ".attentions." in name and layer in names:
            name = f"{owner}.{names[layer]}.{leaf}"
            value = value.flatten(1) if leaf == "weight" else value
        renamed[name] = value
    return renamed


def _build(config: dict[str, Any]) -> Any:
    from diffusers import AutoencoderKL  # here, for a quick start of everything else

    levels = len(config["block_out_channels"])
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        **config,
    )


def _read_config(path: Path | None) -> dict[str, Any]:
    file = path.with_name("config.json") if path is not None else None
    if file is None or not file.is_file():
        return dict(_CONFIG)
    return _CONFIG | {key: value for key, value in json.loads(file.read_text()).items() if key in _CONFIG}
