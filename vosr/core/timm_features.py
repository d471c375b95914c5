"""Intermediate features of a frozen timm backbone, for feature losses and discriminators."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vosr.core.frozen import FrozenModule
from vosr.core.timm_models import create_timm, read_timm_weights, timm_config
from vosr.core.weights import empty_module, load_strictly, on_meta, random_module


class TimmFeatures(FrozenModule):
    """Feature maps of chosen levels, with gradient to the image and none to the weights.

    Args:
        model: any name of ``timm.list_models()`` that returns intermediate features.
        layers: indices of the levels, from the finest.
        weights: file (in timm's names; layers that are not needed may be absent), folder or hub id; by default looked
            up and then downloaded.
        pretrained: whether to load weights at all; false gives fixed random ones (for tests).

    Raises:
        ValueError: timm has no such model or level, or the weights do not fit.
        MissingWeightsError: no weights to be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: str, layers: tuple[int, ...], weights: str | None, pretrained: bool) -> None:
        super().__init__()
        config = timm_config(model)
        build = empty_module if pretrained else random_module
        network: Any = build(lambda: create_timm(model, {}, None))
        stages = list(network.feature_info)
        if not layers or not all(0 <= layer < len(stages) for layer in layers):
            raise ValueError(f"layers must be 0 to {len(stages) - 1} for {model}, not {layers}.")
        network.prune_intermediate_layers(list(layers), prune_norm=True, prune_head=True)
        if pretrained and not on_meta():
            state, kept = read_timm_weights(model, config, weights), network.state_dict()
            state = {name: value for name, value in state.items() if name in kept}
            load_strictly(network, state, Path(weights or model))
        self.layers = list(layers)
        self.channels = [int(stages[layer]["num_chs"]) for layer in layers]
        self.network = network.to(memory_format=torch.channels_last)
        self.register_buffer("mean", torch.tensor(config["mean"]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config["std"]).view(3, 1, 1), persistent=False)
        self.freeze()

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features (B, D, h, w) of each level of ``image`` (B, 3, H, W) in [0, 1].

        Raises:
            ValueError: an image of another number of channels.
        """
        if image.shape[1] != 3:
            raise ValueError(
                f"The features of timm's models are of RGB images, not of {image.shape[1]} channels."
            )
        image = ((image - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        found: list[Tensor] = self.network.forward_intermediates(
            image, indices=self.layers, stop_early=True, output_fmt="NCHW", intermediates_only=True
        )
        return found
