"""SigLIP2: names and sizes."""

from functools import partial
from typing import Any, Literal

from vosr.encoders.timm_vit import TimmViT, ViTSpec, on_timm, resample_positions

_SIZES = {"b": "base", "l": "large", "so400m": "so400m"}
_HALF = (0.5, 0.5, 0.5)


class SigLIP2(TimmViT):
    """SigLIP2 through timm, patch 16; no class token.

    Args:
        size: b, l or so400m.
        block: index of the block, from 0; by default the one at three quarters of the depth.
        input_size: side of the resized image in pixels, a multiple of 16; trained at 512.
        final_norm: pass the tokens through the transformer's final norm.
        weights: file, folder or hub id of the weights; by default they are looked up and then downloaded.
        pretrained: whether to load weights at all; false gives fixed random ones.
        overrides: options of timm's model that replace the architecture's own, such as ``depth``.
    """

    def __init__(
        self,
        size: Literal["b", "l", "so400m"] = "b",
        block: int | None = None,
        input_size: int = 512,
        final_norm: bool = False,
        weights: str | None = None,
        pretrained: bool = True,
        overrides: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(self.spec(size), block, input_size, final_norm, weights, pretrained, overrides)

    @staticmethod
    def spec(size: Literal["b", "l", "so400m"]) -> ViTSpec:
        """Architecture and weights of one variant."""
        model = f"vit_{_SIZES[size]}_patch16_siglip_512"
        weights = on_timm(f"SigLIP2 {size}/16 at 512", f"{model}.v2_webli")
        return ViTSpec(model, weights, (_HALF, _HALF), partial(resample_positions, prefix=0))
