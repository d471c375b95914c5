"""DINOv3: names and sizes. Rotary positions, so nothing to resample."""

import re
from typing import Any, Literal

from vosr.core.weights import State
from vosr.encoders.timm_vit import IMAGENET, TimmViT, ViTSpec, on_timm

_SIZES = {"s": "small", "b": "base", "l": "large", "h": "huge_plus"}
_UNUSED = re.compile(r"mask_token|rope_embed\.|.*\.bias_mask|local_cls_norm\.")
_RENAMED = (
    ("storage_tokens", "reg_token"),
    ("ls1.gamma", "gamma_1"),
    ("ls2.gamma", "gamma_2"),
    ("mlp.w1.", "mlp.fc1_g."),
    ("mlp.w2.", "mlp.fc1_x."),
    ("mlp.w3.", "mlp.fc2."),
)


class DINOv3(TimmViT):
    """DINOv3 through timm, patch 16, rotary positions.

    Weights may have timm's or DINOv3's own names.

    Args:
        size: s, b, l or h (H+).
        block: index of the block, from 0; by default the one at three quarters of the depth.
        input_size: side of the resized image in pixels, a multiple of 16.
        final_norm: pass the tokens through the transformer's final norm.
        weights: file, folder or hub id of the weights; by default they are looked up and then downloaded.
        pretrained: whether to load weights at all; false gives fixed random ones.
        overrides: options of timm's model that replace the architecture's own, such as ``depth``.
    """

    def __init__(
        self,
        size: Literal["s", "b", "l", "h"] = "b",
        block: int | None = None,
        input_size: int = 512,
        final_norm: bool = False,
        weights: str | None = None,
        pretrained: bool = True,
        overrides: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(self.spec(size), block, input_size, final_norm, weights, pretrained, overrides)

    @staticmethod
    def spec(size: Literal["s", "b", "l", "h"]) -> ViTSpec:
        """Architecture and weights of one variant."""
        model = f"vit_{_SIZES[size]}_patch16_dinov3"
        weights = on_timm(f"DINOv3 ViT-{size.upper()}/16", f"{model}.lvd1689m")
        return ViTSpec(model, weights, IMAGENET, from_dinov3)


def from_dinov3(state: State, grid: int) -> State:
    """Names of timm for DINOv3's own.

    Raises:
        ValueError: the attention has biases, which these variants of timm's do not.
    """
    biases = [name for name, value in state.items() if name.endswith("attn.qkv.bias") and value.any()]
    if biases:
        raise ValueError(f"The DINOv3 weights have attention biases ({biases[0]}); give timm's file instead.")
    kept = {n: v for n, v in state.items() if not _UNUSED.match(n) and not n.endswith("attn.qkv.bias")}
    return {_rename(name): value for name, value in kept.items()}


def _rename(name: str) -> str:
    for theirs, timms in _RENAMED:
        name = name.replace(theirs, timms)
    return name
