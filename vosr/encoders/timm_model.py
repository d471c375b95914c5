"""Any image model of timm as an encoder: convolutional networks and transformers by name."""

from typing import Any

import torch
from torch import Tensor

from vosr.core.frozen import FrozenModule
from vosr.core.resampling import antialiased
from vosr.core.timm_models import create_timm, read_timm_weights, timm_config
from vosr.core.weights import on_meta, random_module
from vosr.encoders.base import Encoder

_STRIDE = 16
"""Stride at which a convolutional network is read by default; a ViT/16 has the same."""


class TimmEncoder(FrozenModule, Encoder):
    """The feature map of one block of any timm model, one token per position.

    The image is resized to a square of the size that the model was trained at (bicubic, antialiased, as timm
    evaluates) and normalised with the model's own mean and standard deviation.

    Args:
        model: a name that ``timm.list_models()`` lists, with or without the tag of its pretrained weights, such as
            mobilenetv3_large_100 or convnext_tiny.fb_in22k.
        block: index of the block (transformers) or stage (convolutional networks), from 0. By default the one at
            three quarters of the depth where all have the same stride, else the last of stride 16 or less.
        input_size: side of the resized image in pixels; by default the model's own.
        weights: file, folder or hub id of the weights; by default they are looked up and then downloaded.
        pretrained: whether to load weights at all; false gives fixed random ones.

    Raises:
        ValueError: timm has no such model, block or size, or the weights do not fit.
        MissingWeightsError: no weights to be had.
    """

    network: Any
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        model: str = "mobilenetv3_large_100",
        block: int | None = None,
        input_size: int | None = None,
        weights: str | None = None,
        pretrained: bool = True,
    ) -> None:
        super().__init__()
        config = timm_config(model)
        own_size = int(config["input_size"][-1])
        self.input_size = own_size if input_size is None else input_size
        resized = {"img_size": self.input_size} if config["fixed_input_size"] else {}
        read = pretrained and not on_meta()
        state = read_timm_weights(model, config, weights) if read else None
        self.network = random_module(lambda: create_timm(model, resized, state))
        strides = [int(stage["reduction"]) for stage in self.network.feature_info]
        self.block = _block(block, strides)
        self.dim = int(self.network.feature_info[self.block]["num_chs"])
        self.network.prune_intermediate_layers([self.block], prune_norm=True, prune_head=True)
        self.register_buffer("mean", torch.tensor(config["mean"]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config["std"]).view(3, 1, 1), persistent=False)
        self.freeze()
        if self.input_size < strides[self.block]:
            raise ValueError(
                f"input_size must be at least {strides[self.block]}, the stride of block {self.block} of {model}, "
                f"not {self.input_size}."
            )

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        """Tokens (B, M, Z) of ``image`` (B, 3, H, W) in [0, 1], row by row of the feature map."""
        size = (self.input_size, self.input_size)
        if image.shape[-2:] != size:
            image = antialiased(image, *size, "bicubic")
        features: list[Tensor] = self.network.forward_intermediates(
            (image.clamp(0, 1) - self.mean) / self.std,
            indices=[self.block],
            stop_early=True,
            output_fmt="NCHW",
            intermediates_only=True,
        )
        return features[0].flatten(2).transpose(1, 2)


def _block(block: int | None, strides: list[int]) -> int:
    depth = len(strides)
    if block is not None:
        if not 0 <= block < depth:
            raise ValueError(f"block must be 0 to {depth - 1} for this encoder, not {block}.")
        return block
    if len(set(strides)) == 1:
        return max(depth * 3 // 4 - 1, 0)
    return max((i for i, stride in enumerate(strides) if stride <= _STRIDE), default=0)
