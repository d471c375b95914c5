"""Convolutional KL autoencoders: what ``configs/autoencoder.yaml`` trains, and any ``AutoencoderKL`` of diffusers."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from vosr.autoencoders.block_transform import BlockTransform
from vosr.autoencoders.diffusers_vae import DIFFUSERS_FILES, build_vae, read_vae_config, rename_attention
from vosr.autoencoders.light_decoder import LightlyDecoded, norm_groups
from vosr.autoencoders.posterior import draw_latent
from vosr.autoencoders.spatial_map import SpatialMap
from vosr.core.files.atomic import write_atomically
from vosr.core.frozen import FrozenModule
from vosr.core.types import RandomSource
from vosr.core.weights import Weights, empty_module, load_strictly, on_meta, random_module, read_tensors

KL_WEIGHTS = Weights(
    title="convolutional autoencoder",
    repo="",
    file=DIFFUSERS_FILES[0],
    shared=(),
    own=(
        *DIFFUSERS_FILES,
        *(f"{folder}/{name}" for folder in ("model", "vae") for name in DIFFUSERS_FILES),
    ),
    extra_files=("config.json",),
)
_MULTIPLES = (1, 2, 4)
"""Width of each level over that of the finest; coarser levels are as the last."""
_CONFIG: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "mid_block_add_attention": True,
    "use_quant_conv": True,
    "use_post_quant_conv": True,
    "scaling_factor": 0.18215,
    "shift_factor": None,
    "latents_mean": None,
    "latents_std": None,
    "patch_size": 1,
    "residual": False,
}
_OWN = ("patch_size", "residual", "scaling_factor", "shift_factor", "latents_mean", "latents_std")
"""Keys that diffusers' constructor is not given."""
_INITIAL_LOG_VARIANCE = -6.0
"""Of a residual autoencoder's posterior: a std of 0.05, where a coefficient's is about 1."""


class KLAutoencoder(FrozenModule, LightlyDecoded):
    """Convolutional KL autoencoder (Rombach et al. 2022) of chosen factor, channels and width; also diffusers' ones.

    The network is diffusers' ``AutoencoderKL``, on patches of pixels where ``patch`` is over 1: full resolution is
    where most of the time goes. Latents are (z - mean) / std per channel; training measures both at its end. Files are
    in diffusers' layout, so that ``AutoencoderKL.from_pretrained`` opens them where ``patch`` is 1 and ``residual``
    false.

    Args:
        weights: file, folder, run or hub id; sizes come from the ``config.json`` beside it. None has new weights of
            the sizes below, for training.
        light_decoder: file, folder or run of a light decoder to decode with; by default its own decoder decodes.
        factor: pixels per latent cell along each axis: ``patch`` times a power of two. By default 8.
        latent_channels: by default 4.
        image_channels: by default 3; restoration takes no other number.
        width: of the finest level; the others have twice and four times as much. By default 128.
        layers: residual blocks a level; the decoder has one more. By default 2.
        patch: side of the patches of pixels that the network sees as one. By default 1.
        attention: whether the coarsest level attends to all of its positions. By default true.
        residual: whether the network adds to a linear transform of the image's blocks and back, which trains with it
            and begins as the cosine transform of the same compression: training starts at its level. By default false.

    Raises:
        ValueError: a factor that is no power of two times ``patch``, or weights of another layout or size.
        MissingWeightsError: no weights at that place.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        weights: str | None = None,
        light_decoder: str | None = None,
        factor: int | None = None,
        latent_channels: int | None = None,
        image_channels: int | None = None,
        width: int | None = None,
        layers: int | None = None,
        patch: int | None = None,
        attention: bool | None = None,
        residual: bool | None = None,
    ) -> None:
        super().__init__()
        path = None if weights is None else KL_WEIGHTS.locate(weights)  # also on meta: it has the sizes
        load = path is not None and not on_meta()
        given = {
            "factor": factor,
            "latent_channels": latent_channels,
            "image_channels": image_channels,
            "width": width,
            "layers": layers,
            "patch": patch,
            "attention": attention,
            "residual": residual,
        }
        config = _new_config(given) if path is None else _stored_config(path, given)
        self.config = config
        sizes = sizes_of(config)
        self.patch, self.factor = sizes["patch"], sizes["factor"]
        self.latent_channels, self.image_channels = sizes["latent_channels"], sizes["image_channels"]
        self.decoder_widths = tuple(config["block_out_channels"])
        self.working_bytes = max(64, 4200 * self.decoder_widths[0] // (128 * self.patch**2))
        arguments = {key: value for key, value in config.items() if key not in _OWN}
        if path is not None:
            self.init_args["weights"] = str(
                path.absolute()
            )  # of the file: records name it and exports hold it
        if path is None or not load:
            self.vae = random_module(lambda: _network(arguments, sizes))
        else:
            self.vae = empty_module(lambda: _network(arguments, sizes))
            load_strictly(self.vae, rename_attention(read_tensors(path)), path)
        for name, values in zip(("mean", "std"), _normalisation(config)):
            self.register_buffer(name, values.view(-1, 1, 1))
        if light_decoder is not None:
            self.lighten(light_decoder, load)
            self.vae.decoder = self.vae.post_quant_conv = None
        self.freeze()

    # -- as a frozen part -------------------------------------------------------------------------------------

    def encode(self, image: Tensor, sample: bool = False, generator: RandomSource | None = None) -> Tensor:
        return (draw_latent(self.moments(image), sample, generator) - self.mean) / self.std

    def moments(self, image: Tensor) -> Tensor:
        """Means and log variances of the unscaled latents, (B, 2C, h, w), float32.

        Raises:
            ValueError: an image of another number of channels, or of sides that are no multiples of the factor.
        """
        channels, height, width = image.shape[1:]
        if channels != self.image_channels:
            raise ValueError(
                f"This autoencoder takes images of {self.image_channels} channels, not {channels}."
            )
        if height % self.factor or width % self.factor:
            raise ValueError(
                f"Images of {width} x {height} pixels do not fit this autoencoder, whose factor is {self.factor}."
            )
        moments: Tensor = self.vae.encode(F.pixel_unshuffle(image, self.patch)).latent_dist.parameters
        if self.linear is None:
            return moments.float()
        correction, log_variance = moments.float().chunk(2, dim=1)
        return torch.cat([self.linear.analysis(image) + correction, log_variance], dim=1)

    def unscaled(self, latent: Tensor) -> Tensor:
        return latent * self.std + self.mean

    def decode_unscaled(self, latent: Tensor) -> Tensor:
        return self.completed(self.vae.decode(latent).sample, latent)

    def completed(self, output: Tensor, latent: Tensor) -> Tensor:
        image = super().completed(output, latent)
        return image if self.linear is None else self.linear.synthesis(latent) + image

    @property
    def linear(self) -> BlockTransform | None:
        """What the network adds to; None where it does all of it."""
        found: BlockTransform | None = getattr(self.vae, "linear", None)
        return found

    def up_blocks(self) -> list[nn.Module]:
        return list(self.vae.decoder.up_blocks)

    # -- as it trains -----------------------------------------------------------------------------------------

    def forward(
        self, image: Tensor, posterior: RandomSource | None = None, spatial_map: SpatialMap | None = None
    ) -> tuple[Tensor, Tensor]:
        """Reconstruction, float32 and not clamped, and moments of the posterior.

        Args:
            image: (B, image_channels, H, W) in [-1, 1].
            posterior: source of the draw; None takes the mode.
            spatial_map: applied to the latent, so that the reconstruction is of an image that it has been applied to.
        """
        moments = self.moments(image)
        latent = draw_latent(moments, posterior is not None, posterior)
        latent = latent if spatial_map is None else spatial_map(latent, 1)
        return self.decode_unscaled(latent).float(), moments

    @property
    def blocks(self) -> list[nn.Module]:
        """What activation checkpointing, compilation and FSDP take one by one."""
        coder, decoder = self.vae.encoder, self.vae.decoder
        return [*coder.down_blocks, coder.mid_block, decoder.mid_block, *decoder.up_blocks]

    def reset_parameters(self) -> None:
        """Draw initial weights anew; latents are not normalised until they are measured."""
        from vosr.autoencoders.light_layers import reset_layers

        reset_layers(self.vae)
        if self.linear is not None:
            self._begin_linear()
        self.mean.zero_()
        self.std.fill_(1.0)

    @torch.no_grad()
    def _begin_linear(self) -> None:
        """Begin with a network that adds nothing and a posterior that is narrow."""
        start = [0.0] * self.latent_channels + [_INITIAL_LOG_VARIANCE] * self.latent_channels
        for coder in (self.vae.encoder, self.vae.decoder):
            for parameter in coder.conv_out.parameters():
                parameter.zero_()
        self.vae.quant_conv.bias.copy_(torch.tensor(start))

    def save(self, folder: Path, dtype: torch.dtype | None = None) -> None:
        """Write ``config.json`` and the weights in diffusers' layout; each file appears complete or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        self.save_config(folder)
        state = {name: v.detach().to("cpu", dtype).contiguous() for name, v in self.vae.state_dict().items()}
        write_atomically(folder / DIFFUSERS_FILES[0], lambda path: save_file(state, path, {"format": "pt"}))

    def save_config(self, folder: Path) -> None:
        """Write ``config.json`` alone."""
        levels = len(self.decoder_widths)
        record = {
            "_class_name": "AutoencoderKL",
            "down_block_types": ["DownEncoderBlock2D"] * levels,
            "up_block_types": ["UpDecoderBlock2D"] * levels,
            **self.config,
            "scaling_factor": 1.0,
            "shift_factor": None,
            "latents_mean": self.mean.flatten().tolist(),
            "latents_std": self.std.flatten().tolist(),
        }
        text = json.dumps(record, indent=2) + "\n"
        write_atomically(folder / "config.json", lambda path: path.write_text(text))


def sizes_of(config: dict[str, Any]) -> dict[str, Any]:
    """The constructor's sizes, of a configuration in diffusers' keys."""
    patch, widths = config["patch_size"], config["block_out_channels"]
    return {
        "factor": patch * 2 ** (len(widths) - 1),
        "latent_channels": config["latent_channels"],
        "image_channels": config["in_channels"] // patch**2,
        "width": widths[0],
        "layers": config["layers_per_block"],
        "patch": patch,
        "attention": config["mid_block_add_attention"],
        "residual": config["residual"],
    }


def read_sizes(weights: Path) -> dict[str, Any]:
    """The constructor's sizes, of the ``config.json`` beside a file of weights, which need not be there."""
    return sizes_of(read_vae_config(weights, _CONFIG))


def _new_config(given: dict[str, Any]) -> dict[str, Any]:
    sizes = sizes_of(_CONFIG) | {name: value for name, value in given.items() if value is not None}
    factor, patch = sizes["factor"], sizes["patch"]
    for name, value in sizes.items():
        if not isinstance(value, bool) and value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}.")
    levels = (factor // patch).bit_length()
    if factor != patch * 2 ** (levels - 1):
        raise ValueError(f"factor must be patch times a power of two, not {factor} with a patch of {patch}.")
    multiples = [*_MULTIPLES, *[_MULTIPLES[-1]] * levels][:levels]
    widths = [sizes["width"] * times for times in multiples]
    return _CONFIG | {
        "in_channels": sizes["image_channels"] * patch**2,
        "out_channels": sizes["image_channels"] * patch**2,
        "latent_channels": sizes["latent_channels"],
        "block_out_channels": widths,
        "layers_per_block": sizes["layers"],
        "norm_num_groups": norm_groups(widths, least=4),
        "mid_block_add_attention": sizes["attention"],
        "scaling_factor": 1.0,
        "patch_size": patch,
        "residual": sizes["residual"],
    }


def _network(arguments: dict[str, Any], sizes: dict[str, Any]) -> Any:
    """The ``AutoencoderKL``, which holds the linear part too where there is one, so that one file has both."""
    vae = build_vae(arguments)
    if sizes["residual"]:
        vae.linear = BlockTransform(sizes["image_channels"], sizes["factor"], sizes["latent_channels"])
    return vae


def _stored_config(path: Path, given: dict[str, Any]) -> dict[str, Any]:
    config = read_vae_config(path, _CONFIG)
    sizes = sizes_of(config)
    for name, value in given.items():
        if value is not None and value != sizes[name]:
            raise ValueError(f"{path} has {name} {sizes[name]}, not {value}; leave {name} out to take it.")
    return config


def _normalisation(config: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Mean and deviation per channel, (C,) each."""
    channels = config["latent_channels"]
    if config["latents_mean"] is None or config["latents_std"] is None:
        mean = torch.full((channels,), float(config["shift_factor"] or 0.0))
        return mean, torch.full((channels,), 1 / float(config["scaling_factor"]))
    mean, std = (
        torch.tensor(config[f"latents_{name}"], dtype=torch.float32).flatten() for name in ("mean", "std")
    )
    if len(mean) != channels or len(std) != channels or not (mean.is_meta or bool((std > 0).all())):
        raise ValueError(f"latents_mean and latents_std must have {channels} numbers, deviations above 0.")
    return mean, std
