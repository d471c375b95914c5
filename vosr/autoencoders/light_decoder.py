"""The released light decoder: Stable Diffusion's decoder at half its width."""

from pathlib import Path
from typing import Any

from torch import nn

from vosr.core.weights import State, Weights, empty_module, load_strictly, read_tensors

LIGHT_DECODER = Weights(
    title="light SD2.1 decoder",
    repo="CSWRY/VOSR",
    file="sd21_lwdecoder.pth",
    shared=("sd21_lwdecoder.pth",),
    own=("sd21_lwdecoder.pth",),
)


def build_light_decoder(
    widths: tuple[int, ...] = (64, 128, 256, 256), layers: int = 2, channels: int = 4, groups: int = 32
) -> nn.Module:
    """Decoder of unscaled latents, (B, channels, h, w) -> (B, 3, 8h, 8w).

    Args:
        widths: of the levels, finest first.
        layers: residual blocks a level, less one.
        channels: of the latent.
        groups: of the group norms.
    """
    from diffusers.models.autoencoders.vae import Decoder  # here, for a quick start of everything else

    return Decoder(
        in_channels=channels,
        out_channels=3,
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        block_out_channels=widths,
        layers_per_block=layers,
        norm_num_groups=groups,
    )


def load_light_decoder(path: Path) -> nn.Module:
    """The decoder in ``path``, sizes read back from its weights.

    Raises:
        ValueError: the file is no light decoder.
    """
    content: Any = read_tensors(path)
    if not isinstance(content, dict) or "model_state_dict" not in content:
        raise ValueError(f"{path} is no light decoder: it has no 'model_state_dict'.")
    state: State = content["model_state_dict"]
    groups = (content.get("config") or {}).get("norm_num_groups", 32)
    try:
        sizes = _sizes(state)
    except KeyError as error:
        raise ValueError(f"{path} is no light decoder: {error.args[0]} is missing.") from error
    decoder = empty_module(lambda: build_light_decoder(*sizes, groups))
    load_strictly(decoder, state, path)
    return decoder


def _sizes(state: State) -> tuple[tuple[int, ...], int, int]:
    levels = _count(state, "up_blocks.{}.resnets.0.conv1.weight")
    widths = tuple(state[f"up_blocks.{i}.resnets.0.conv1.weight"].shape[0] for i in reversed(range(levels)))
    layers = _count(state, "up_blocks.0.resnets.{}.conv1.weight") - 1
    return widths, layers, state["conv_in.weight"].shape[1]


def _count(state: State, pattern: str) -> int:
    count = 0
    while pattern.format(count) in state:
        count += 1
    return count
