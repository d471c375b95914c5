"""Light decoders: a smaller decoder in place of an autoencoder's own.

The released one is Stable Diffusion's decoder at half its width. Others are trained by ``configs/light_decoder.yaml``
and have the same layout, so that either file opens in the official code where the sizes are its own.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from vosr.autoencoders.base import Autoencoder
from vosr.core.weights import State, Weights, empty_module, load_strictly, random_module, read_tensors

LIGHT_FILE = "light_decoder.safetensors"
LIGHT_DECODER = Weights(
    title="light decoder",
    repo="CSWRY/VOSR",
    file="sd21_lwdecoder.pth",
    shared=("sd21_lwdecoder.pth",),
    own=(LIGHT_FILE, f"model/{LIGHT_FILE}", "sd21_lwdecoder.pth"),
)


class LightlyDecoded(Autoencoder):
    """An autoencoder whose decoder may be replaced by a light one.

    Attributes:
        light: the light decoder; None where its own one decodes.
        decoder_widths: of its own decoder's levels, finest first.
    """

    light: nn.Module | None
    decoder_widths: tuple[int, ...]

    def __init__(self) -> None:
        super().__init__()
        self.light = None

    def unscaled(self, latent: Tensor) -> Tensor:
        """Latents as the decoders take them, of normalised ones."""
        raise NotImplementedError

    def decode_unscaled(self, latent: Tensor) -> Tensor:
        """What its own decoder makes of them."""
        raise NotImplementedError

    def up_blocks(self) -> list[nn.Module]:
        """The levels of its own decoder, coarsest first."""
        raise NotImplementedError

    def decode(self, latent: Tensor) -> Tensor:
        """Image, not clamped. A light decoder skips the 1 x 1 convolution that comes before the own one."""
        latent = self.unscaled(latent)
        if self.light is None:
            return self.decode_unscaled(latent)
        return self.completed(self.light(latent), latent)

    def completed(self, output: Tensor, latent: Tensor) -> Tensor:
        """Image of unscaled latents (B, C, h, w), of what a decoder, its own or a light one, has made of them."""
        return unshuffled(output, self.image_channels)

    def lighten(self, place: str, load: bool) -> None:
        """Decode with the light decoder at ``place``, or with a random one of half the widths.

        Raises:
            ValueError: it is of another layout, or of another factor or number of channels.
            MissingWeightsError: there is none.
        """
        if not load:
            widths = half(self.decoder_widths)
            self.light = random_module(lambda: build_light_decoder(widths, channels=self.latent_channels))
            return
        path = LIGHT_DECODER.locate(None if place == "auto" else place)
        if place != "auto":
            self.init_args["light_decoder"] = str(path.absolute())  # of the file: exports hold it
        light: Any = load_light_decoder(path)
        patch = math.isqrt(light.conv_out.out_channels // self.image_channels)
        found = (light.conv_in.in_channels, patch * 2 ** (len(light.up_blocks) - 1))
        if found != (self.latent_channels, self.factor) or (
            patch**2 * self.image_channels != light.conv_out.out_channels
        ):
            raise ValueError(
                f"{path} decodes {found[0]} latent channels by a factor of {found[1]}; this autoencoder has "
                f"{self.latent_channels} channels and a factor of {self.factor}."
            )
        self.light = light


def with_light_decoder(autoencoder: Autoencoder, place: str) -> Autoencoder:
    """The same autoencoder with the light decoder at ``place``: a file, folder or run.

    Raises:
        ValueError: it takes none, or not this one.
        MissingWeightsError: there is none.
    """
    if "light_decoder" not in autoencoder.init_args:
        raise ValueError(f"{autoencoder.built_as.__name__} takes no light decoder; sd2, qwen and kl do.")
    lightened: Autoencoder = autoencoder.built_as(**(autoencoder.init_args | {"light_decoder": place}))
    return lightened


def half(widths: Sequence[int]) -> tuple[int, ...]:
    """Half of each width."""
    return tuple(max(1, width // 2) for width in widths)


def norm_groups(widths: Sequence[int], least: int = 2) -> int:
    """Groups of the norms: 32, or fewer where a group would have fewer channels than ``least``.

    A norm takes mean and deviation over the image away from each group. With a channel of its own for each group the
    tone of an image would be lost.
    """
    groups = math.gcd(32, *widths)
    while groups > 1 and min(widths) < least * groups:
        groups //= 2
    return groups


def unshuffled(image: Tensor, channels: int) -> Tensor:
    """Pixels (B, channels, H, W) of a decoder's output, which may hold a patch of them at each place."""
    return F.pixel_shuffle(image, math.isqrt(image.shape[1] // channels))


def build_light_decoder(
    widths: Sequence[int] = (64, 128, 256, 256),
    layers: int = 2,
    channels: int = 4,
    groups: int | None = None,
    out_channels: int = 3,
    attention: bool = True,
) -> nn.Module:
    """Decoder of unscaled latents, (B, channels, h, w) -> (B, out_channels, 2^(levels - 1) h, 2^(levels - 1) w).

    Args:
        widths: of the levels, finest first.
        layers: residual blocks a level, less one.
        channels: of the latent.
        groups: of the group norms; by default :func:`norm_groups`.
        out_channels: image channels, times the square of the patch's side where a patch of pixels is made at each
            place.
        attention: whether the coarsest level attends to all of its positions.
    """
    from vosr.autoencoders.light_layers import (
        LightDecoderNetwork,  # here, for a quick start of everything else
    )

    return LightDecoderNetwork(
        in_channels=channels,
        out_channels=out_channels,
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        block_out_channels=tuple(widths),
        layers_per_block=layers,
        norm_num_groups=groups or norm_groups(widths),
        mid_block_add_attention=attention,
    )


def load_light_decoder(path: Path) -> nn.Module:
    """The decoder in ``path``, a safetensors file or the released pickle, sizes read back from its weights.

    Raises:
        ValueError: the file is no light decoder.
    """
    state, groups = _read(path)
    try:
        sizes = sizes_in(state)
    except (KeyError, IndexError) as error:
        raise ValueError(f"{path} is no light decoder: {error.args[0]} is missing.") from error
    try:
        decoder = empty_module(lambda: build_light_decoder(groups=groups, **sizes))
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        raise ValueError(f"{path} is no light decoder: {error}") from error
    load_strictly(decoder, state, path)
    return decoder


def save_light_decoder(decoder: nn.Module, path: Path, dtype: torch.dtype | None = None) -> None:
    """Write a light decoder as safetensors; what its weights do not show is in the file's metadata."""
    state = {name: v.detach().to("cpu", dtype).contiguous() for name, v in decoder.state_dict().items()}
    groups = decoder.get_submodule("conv_norm_out").num_groups
    save_file(state, path, metadata={"format": "pt", "norm_num_groups": str(groups)})


def save_released_light_decoder(decoder: nn.Module, path: Path, dtype: torch.dtype | None = None) -> None:
    """Write a light decoder as the released ``sd21_lwdecoder.pth``: a pickle with config and model_state_dict."""
    state = {name: v.detach().to("cpu", dtype).contiguous() for name, v in decoder.state_dict().items()}
    sizes = sizes_in(state)
    config = {
        "in_channels": sizes["channels"],
        "out_channels": sizes["out_channels"],
        "block_out_channels": list(sizes["widths"]),
        "layers_per_block": sizes["layers"],
        "norm_num_groups": decoder.get_submodule("conv_norm_out").num_groups,
    }
    torch.save({"config": config, "model_state_dict": state}, path)


def _read(path: Path) -> tuple[State, int]:
    content: Any = read_tensors(path)
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            given = (file.metadata() or {}).get("norm_num_groups", "32")
        if not given.isdecimal() or not 1 <= int(given) <= 1024:
            raise ValueError(f"{path} is no light decoder: its norm_num_groups is no number of groups.")
        return content, int(given)
    if not isinstance(content, dict) or "model_state_dict" not in content:
        raise ValueError(f"{path} is no light decoder: it has no 'model_state_dict'.")
    return content["model_state_dict"], (content.get("config") or {}).get("norm_num_groups", 32)


def sizes_in(state: State) -> dict[str, Any]:
    """Arguments of :func:`build_light_decoder`, but for the groups, read back from its weights."""
    levels = _count(state, "up_blocks.{}.resnets.0.conv1.weight")
    return {
        "widths": tuple(
            state[f"up_blocks.{i}.resnets.0.conv1.weight"].shape[0] for i in reversed(range(levels))
        ),
        "layers": _count(state, "up_blocks.0.resnets.{}.conv1.weight") - 1,
        "channels": state["conv_in.weight"].shape[1],
        "out_channels": state["conv_out.weight"].shape[0],
        "attention": any(name.startswith("mid_block.attentions.") for name in state),
    }


def _count(state: State, pattern: str) -> int:
    count = 0
    while pattern.format(count) in state:
        count += 1
    return count
