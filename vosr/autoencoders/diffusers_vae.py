"""Files of convolutional autoencoders in the layout of diffusers' ``AutoencoderKL``."""

import json
from pathlib import Path
from typing import Any

from vosr.core.files.regular import read_regular
from vosr.core.weights import State

DIFFUSERS_FILES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
_MOST_BYTES = 2**20


def build_vae(config: dict[str, Any]) -> Any:
    """An ``AutoencoderKL`` of diffusers from a configuration, with new weights."""
    from diffusers import AutoencoderKL  # here, for a quick start of everything else

    levels = len(config["block_out_channels"])
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        **config,
    )


def read_vae_config(weights: Path | None, known: dict[str, Any]) -> dict[str, Any]:
    """The values of ``known``, as the ``config.json`` beside the weights has them where it is there.

    Raises:
        ValueError: it is no JSON object, or a number is of another kind.
    """
    path = weights.with_name("config.json") if weights is not None else None
    if path is None or not path.is_file():
        return dict(known)
    try:
        given = json.loads(read_regular(path, _MOST_BYTES))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(given, dict):
        raise ValueError(f"{path} is no configuration: it holds no keys.")
    config = known | {key: value for key, value in given.items() if key in known}
    for key, value in config.items():
        if isinstance(known[key], int) and not isinstance(value, int):
            raise ValueError(f"{path}: {key} cannot be {value!r:.80}.")
    return config


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
