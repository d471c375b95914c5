"""DINOv2: names, sizes and the way it resamples its position embedding."""

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from vosr.core.weights import State, Weights
from vosr.encoders.timm_vit import IMAGENET, TimmViT, ViTSpec

_SIZES = {"s": "small", "b": "base", "l": "large", "g": "giant"}


class DINOv2(TimmViT):
    """DINOv2 through timm: the released models' encoder (ViT-B/14 block 8, ViT-L/14 block 17).

    Weights may have timm's or DINOv2's own names.

    Args:
        size: s, b, l or g.
        registers: the variant with four register tokens.
        block: index of the block, from 0; by default the one at three quarters of the depth.
        input_size: side of the resized image in pixels, a multiple of 14.
        final_norm: pass the tokens through the transformer's final norm.
        weights: file, folder or hub id of the weights; by default they are looked up and then downloaded.
        pretrained: whether to load weights at all; false gives fixed random ones.
        overrides: options of timm's model that replace the architecture's own, such as ``depth``.
    """

    def __init__(
        self,
        size: Literal["s", "b", "l", "g"] = "b",
        registers: bool = False,
        block: int | None = None,
        input_size: int = 448,
        final_norm: bool = False,
        weights: str | None = None,
        pretrained: bool = True,
        overrides: dict[str, Any] | None = None,
    ) -> None:
        spec = self.spec(size, registers)
        super().__init__(spec, block, input_size, final_norm, weights, pretrained, overrides)

    @staticmethod
    def spec(size: Literal["s", "b", "l", "g"], registers: bool = False) -> ViTSpec:
        """Architecture and weights of one variant."""
        model = f"vit_{_SIZES[size]}_patch14_{'reg4_' if registers else ''}dinov2"
        original = f"dinov2_vit{size}14{'_reg4' if registers else ''}_pretrain.pth"
        tag = f"{model}.lvd142m"
        return ViTSpec(
            model,
            Weights(
                title=f"DINOv2 ViT-{size.upper()}/14{' with registers' if registers else ''}",
                repo=f"timm/{tag}",
                file="model.safetensors",
                shared=(f"{tag}/model.safetensors", original, f"torch_cache/checkpoints/{original}"),
                own=("model.safetensors", original),
                licence="Apache-2.0",
            ),
            IMAGENET,
            from_dinov2,
        )


def from_dinov2(state: State, grid: int) -> State:
    """Names of timm for DINOv2's own; positions resampled to ``grid`` x ``grid`` tokens as DINOv2 does.

    The variants with registers were trained with another resampling, which is also timm's: antialiased, to
    the exact size.
    """
    original = "register_tokens" in state
    state = {_rename(name): value for name, value in state.items() if name != "mask_token"}
    registers = "reg_token" in state
    first = 1 if original or not registers else 0  # the class token's position
    prefix, patches = state["pos_embed"][:, :first], state["pos_embed"][:, first:]
    if original:  # timm adds it to the class token itself
        state["cls_token"] = state["cls_token"] + prefix
        prefix = prefix[:, :0]
    state["pos_embed"] = torch.cat([prefix, dinov2_positions(patches, grid, exact=registers)], dim=1)
    return state


def dinov2_positions(positions: Tensor, grid: int, exact: bool = False) -> Tensor:
    """Position embedding for another grid (docs/method.md#inputs).

    Args:
        positions: trained embedding of a square grid, (1, n * n, D).
        grid: tokens per axis wanted.
        exact: antialiased to the exact size, instead of by the scale factor (grid + 0.1) / n.

    Returns:
        (1, grid * grid, D).
    """
    trained = round(positions.shape[1] ** 0.5)
    if trained == grid:
        return positions
    plane = positions.float().unflatten(1, (trained, trained)).movedim(-1, 1)
    if exact:
        plane = F.interpolate(plane, size=(grid, grid), mode="bicubic", antialias=True)
    else:
        plane = F.interpolate(plane, scale_factor=(grid + 0.1) / trained, mode="bicubic")
    return plane.flatten(2).mT


def _rename(name: str) -> str:
    """``register_tokens`` and, of the giant model, the SwiGLU's matrices."""
    name = name.replace("register_tokens", "reg_token")
    return name.replace(".mlp.w12.", ".mlp.fc1.").replace(".mlp.w3.", ".mlp.fc2.")
