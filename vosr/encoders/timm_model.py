"""Any image model of timm as an encoder: convolutional networks and transformers by name."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vosr.core.frozen import FrozenModule
from vosr.core.weights import State, Weights, on_meta, random_module, read_tensors
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
        config = _config(model)
        own_size = int(config["input_size"][-1])
        self.input_size = own_size if input_size is None else input_size
        resized = {"img_size": self.input_size} if config["fixed_input_size"] else {}
        read = pretrained and not on_meta()
        state = _read(model, config, weights) if read else None
        self.network = random_module(lambda: _create(model, resized, state))
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
            image = F.interpolate(image, size, mode="bicubic", align_corners=False, antialias=True)
        features: list[Tensor] = self.network.forward_intermediates(
            (image.clamp(0, 1) - self.mean) / self.std,
            indices=[self.block],
            stop_early=True,
            output_fmt="NCHW",
            intermediates_only=True,
        )
        return features[0].flatten(2).transpose(1, 2)


def _config(model: str) -> dict[str, Any]:
    """The record that timm keeps of a model: sizes, normalisation and where its weights are."""
    import timm  # here, for a quick start of everything else

    name, _, tag = model.partition(".")
    known = timm.list_models()
    if name not in known or (tag and model not in timm.list_pretrained(f"{name}.*")):
        near = timm.list_models(f"*{name.split('_')[0]}*")[:5] or known[:5]
        tags = [each.partition(".")[2] for each in timm.list_pretrained(f"{name}.*")] if name in known else []
        hint = f"Tags of {name}: {', '.join(tags)}." if tags else f"It lists, for example, {', '.join(near)}."
        raise ValueError(f"timm.list_models() does not list {model!r}. {hint}")
    found = timm.get_pretrained_cfg(model)
    return dict(found.to_dict()) if found is not None else dict(timm.models.PretrainedCfg().to_dict())


def _read(model: str, config: dict[str, Any], place: str | None) -> State:
    """Weights in timm's names, without the classifier."""
    repo = config.get("hf_hub_id") or f"timm/{model}"
    repo = repo if repo.count("/") == 1 else f"timm/{model}"
    tag = repo.rpartition("/")[2]
    path = Weights(
        title=f"timm's {model}",
        repo=repo,
        file="model.safetensors",
        shared=(f"{tag}/model.safetensors", f"{tag}/pytorch_model.bin"),
        own=("model.safetensors", "pytorch_model.bin"),
    ).locate(place)
    state = read_tensors(path)
    state = state.get("state_dict", state)
    heads = config.get("classifier") or ()
    heads = tuple(f"{head}." for head in ([heads] if isinstance(heads, str) else heads))
    return {name: value for name, value in state.items() if not name.startswith(heads or ("\0",))}


def _create(model: str, options: dict[str, Any], state: State | None) -> nn.Module:
    """The model without its classifier; ``state`` has to fit exactly, after timm's own conversions."""
    import timm

    # Zero classes in the record too: else timm takes missing and unexpected names without an error.
    overlay = {"num_classes": 0, "state_dict": state} if state is not None else None
    try:
        return timm.create_model(
            model, pretrained=state is not None, num_classes=0, pretrained_cfg_overlay=overlay, **options
        )
    except (RuntimeError, TypeError, AssertionError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"timm cannot build {model} with these weights or this size: {reason}") from error


def _block(block: int | None, strides: list[int]) -> int:
    depth = len(strides)
    if block is not None:
        if not 0 <= block < depth:
            raise ValueError(f"block must be 0 to {depth - 1} for this encoder, not {block}.")
        return block
    if len(set(strides)) == 1:
        return max(depth * 3 // 4 - 1, 0)
    return max((i for i, stride in enumerate(strides) if stride <= _STRIDE), default=0)
