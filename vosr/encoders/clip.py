"""CLIP: names and sizes."""

from functools import partial
from typing import Any, Literal

from vosr.encoders.timm_vit import TimmViT, ViTSpec, on_timm, resample_positions

_MEAN_STD = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_SIZES = {"b": "base_patch16", "l": "large_patch14"}


class CLIP(TimmViT):
    """OpenAI's CLIP through timm: B/16 or L/14, trained at 224 px.

    Args:
        size: b or l.
        block: index of the block, from 0; by default the one at three quarters of the depth.
        input_size: side of the resized image in pixels, a multiple of 16 (b) or 14 (l).
        final_norm: pass the tokens through the transformer's final norm.
        weights: file, folder or hub id of the weights; by default they are looked up and then downloaded.
        pretrained: whether to load weights at all; false gives fixed random ones.
        overrides: options of timm's model that replace the architecture's own, such as ``depth``.
    """

    def __init__(
        self,
        size: Literal["b", "l"] = "b",
        block: int | None = None,
        input_size: int = 448,
        final_norm: bool = False,
        weights: str | None = None,
        pretrained: bool = True,
        overrides: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(self.spec(size), block, input_size, final_norm, weights, pretrained, overrides)

    @staticmethod
    def spec(size: Literal["b", "l"]) -> ViTSpec:
        """Architecture and weights of one variant."""
        # OpenAI's weights were trained with the quick GELU; timm has that as an architecture of its own.
        model = f"vit_{_SIZES[size]}_clip_quickgelu_224"
        weights = on_timm(f"CLIP ViT-{size.upper()}", f"vit_{_SIZES[size]}_clip_224.openai")
        return ViTSpec(model, weights, _MEAN_STD, partial(resample_positions, prefix=1))
