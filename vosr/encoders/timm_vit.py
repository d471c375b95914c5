"""Vision transformers of timm as encoders; the families differ in names, sizes and positions only."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vosr.core.files.shown import shown
from vosr.core.frozen import FrozenModule
from vosr.core.weights import (
    State,
    Weights,
    empty_module,
    load_strictly,
    on_meta,
    random_module,
    read_tensors,
)
from vosr.encoders.base import Encoder
from vosr.encoders.resize import resize_square

RGB = tuple[float, float, float]
IMAGENET: tuple[RGB, RGB] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


SIZES = {"depth": 128, "embed_dim": 8192, "num_heads": 128, "mlp_ratio": 16, "patch_size": 64}
"""What ``overrides`` may change, and how far."""


@dataclass(frozen=True)
class ViTSpec:
    """What sets one pretrained transformer apart.

    Attributes:
        model: timm's name of the architecture.
        weights: where its weights are.
        mean_std: normalisation of RGB in [0, 1] that it was trained with.
        convert: (state dict of the file, tokens per axis) -> state dict in timm's names, positions resampled.
    """

    model: str
    weights: Weights
    mean_std: tuple[RGB, RGB]
    convert: Callable[[State, int], State]


def on_timm(title: str, tag: str) -> Weights:
    """The weights that timm publishes by a tag, such as ``vit_base_patch16_dinov3.lvd1689m``."""
    file = "model.safetensors"
    return Weights(title, repo=f"timm/{tag}", file=file, shared=(f"{tag}/{file}",), own=(file,))


def resample_positions(state: State, grid: int, prefix: int) -> State:
    """Position embedding resampled to ``grid`` x ``grid`` tokens as timm does; ``prefix`` others keep their own."""
    from timm.layers import resample_abs_pos_embed  # type: ignore[attr-defined]

    positions = resample_abs_pos_embed(state["pos_embed"], [grid, grid], num_prefix_tokens=prefix)
    return {**state, "pos_embed": positions}


class TimmViT(FrozenModule, Encoder):
    """A frozen vision transformer that gives the patch tokens of one intermediate block.

    The image is resized to a square (docs/method.md#inputs). Class and register tokens are left out. Blocks
    after the chosen one are not even loaded.

    Args:
        spec: architecture, weights and conventions of the family.
        block: index of the block, from 0; by default the one at three quarters of the depth, as in the
            released models (8 of 12, 17 of 24).
        input_size: side of the resized image in pixels, a multiple of the patch size.
        final_norm: pass the tokens through the transformer's final norm.
        weights: file, folder or hub id of the weights; by default they are looked up and then downloaded.
        pretrained: whether to load weights at all; false gives fixed random ones.
        overrides: options of timm's model that replace the architecture's own, such as ``depth``.

    Raises:
        ValueError: a block or size that the transformer does not have, or weights that do not fit.
        MissingWeightsError: no weights to be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        spec: ViTSpec,
        block: int | None,
        input_size: int,
        final_norm: bool,
        weights: str | None,
        pretrained: bool,
        overrides: dict[str, Any] | None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.final_norm = final_norm
        options = {"num_classes": 0, "img_size": input_size, **checked_sizes(overrides or {})}
        path = spec.weights.locate(weights) if pretrained and not on_meta() else None
        make = random_module if path is None else empty_module
        vit = make(lambda: _create(spec.model, options))
        self.block = _block_index(block, len(vit.blocks))
        self.dim = int(vit.embed_dim)
        self.grid = _tokens_per_axis(input_size, int(vit.patch_embed.patch_size[0]))
        vit.prune_intermediate_layers([self.block], prune_norm=not final_norm, prune_head=True)
        if path is not None:
            state = self._wanted(spec.convert(read_tensors(path), self.grid))
            load_strictly(vit, state, path)
            if any(buffer.is_meta for buffer in vit.buffers()):
                _fill_buffers(vit, _create(spec.model, options | {"depth": 1}))
        self.vit = vit
        mean, std = spec.mean_std
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        self.freeze()

    def forward(self, image: Tensor) -> Tensor:
        return self.tokens((resize_square(image, self.input_size) - self.mean) / self.std)

    @torch.no_grad()
    def tokens(self, x: Tensor) -> Tensor:
        """Tokens (B, M, Z) of a normalised image (B, 3, input_size, input_size)."""
        tokens: list[Tensor] = self.vit.forward_intermediates(
            x,
            indices=[self.block],
            norm=self.final_norm,
            stop_early=True,
            output_fmt="NLC",
            intermediates_only=True,
        )
        return tokens[0]

    def _wanted(self, state: State) -> State:
        """Without heads, later blocks and an unused final norm."""
        unused = ("head.", "head_drop.", "fc_norm.", "attn_pool.") + (() if self.final_norm else ("norm.",))
        return {
            name: value
            for name, value in state.items()
            if not name.startswith(unused)
            and not (name.startswith("blocks.") and int(name.split(".")[1]) > self.block)
        }


def checked_sizes(overrides: dict[str, Any]) -> dict[str, float]:
    """Sizes of a transformer that replace its architecture's own; nothing else gets to timm, which would load files.

    Raises:
        ValueError: another key, or a value that is no size.
    """
    for key, value in overrides.items():
        if key not in SIZES:
            raise ValueError(f"overrides may change {', '.join(SIZES)}, not {shown(key)!r}.")
        if type(value) not in (int, float) or not 0 < value <= SIZES[key]:
            raise ValueError(
                f"overrides: {key} must be a number up to {SIZES[key]}, not {shown(repr(value))[:40]}."
            )
    return overrides


def _create(model: str, options: dict[str, Any]) -> Any:
    import timm  # here, for a quick start of everything else

    if model not in timm.list_models():  # other names make timm fetch a record from elsewhere
        raise ValueError(f"timm.list_models() does not list {shown(model)!r}.")
    try:
        return timm.create_model(model, **options)
    except TypeError as error:
        raise ValueError(f"overrides of timm's {model}: {error}.") from error


def _block_index(block: int | None, depth: int) -> int:
    if block is None:
        return max(depth * 3 // 4 - 1, 0)
    if not 0 <= block < depth:
        raise ValueError(f"block must be 0 to {depth - 1} for this encoder, not {block}.")
    return block


def _tokens_per_axis(input_size: int, patch: int) -> int:
    if input_size < patch or input_size % patch:
        raise ValueError(f"input_size must be a multiple of the patch size {patch}, not {input_size}.")
    return input_size // patch


def _fill_buffers(module: nn.Module, donor: nn.Module) -> None:
    """Give buffers that no weight file holds (rotary tables) their values, from a model built in memory."""
    values = dict(donor.named_buffers())
    for name, buffer in list(module.named_buffers()):
        if buffer.is_meta:
            owner, _, leaf = name.rpartition(".")
            module.get_submodule(owner)._buffers[leaf] = values[name]
