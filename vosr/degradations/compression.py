"""Lossy compression by itself: JPEG on the device, WebP through Pillow."""

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, features
from torch import Tensor

from vosr.degradations.base import Degradation, DegradationParams, check_images, to_8_bits
from vosr.degradations.checks import check_range
from vosr.degradations.draws import Draws
from vosr.degradations.jpeg import jpeg


@dataclass(frozen=True)
class CompressionParams(DegradationParams):
    """The encoder's quality, (B,)."""

    quality: Tensor


class Compression(Degradation):
    """Compresses each image at a quality of its own.

    Args:
        quality: range of the encoder's quality, 1 to 100.
    """

    def __init__(self, quality: tuple[float, float] = (10.0, 90.0)) -> None:
        check_range("quality", quality, above=0)
        if quality[1] > 100:
            raise ValueError(f"quality must lie within 1 to 100, not {tuple(quality)}.")
        self.quality = quality

    def sample(self, batch_size: int, generator: torch.Generator | None = None) -> CompressionParams:
        return CompressionParams(Draws(batch_size, generator).uniform(*self.quality))


class JPEG(Compression):
    """JPEG as libjpeg writes it by default, computed on the image's device.

    Nearer to libjpeg than kornia's ``RandomJPEG``, in a quarter of its time (docs/degradations.md).

    Args:
        quality: range of libjpeg's quality, 1 to 100.
    """

    def apply(self, hq: Tensor, params: CompressionParams) -> Tensor:  # type: ignore[override]
        check_images(hq)
        return to_8_bits(jpeg(to_8_bits(hq), params.quality.to(hq.device, non_blocking=True)))


class WebP(Compression):
    """WebP by Pillow's encoder: image by image on the host, so slower than the others on a GPU.

    Args:
        quality: range of libwebp's quality, 1 to 100.

    Raises:
        ValueError: this Pillow was built without WebP.
    """

    def __init__(self, quality: tuple[float, float] = (10.0, 90.0)) -> None:
        super().__init__(quality)
        if not features.check("webp"):
            raise ValueError("This Pillow was built without WebP; install one with it, or use jpeg.")

    def apply(self, hq: Tensor, params: CompressionParams) -> Tensor:  # type: ignore[override]
        check_images(hq)
        bytes_ = (to_8_bits(hq) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        coded = [_webp(image, float(q)) for image, q in zip(bytes_, params.quality)]
        return torch.from_numpy(np.stack(coded)).to(hq.device).permute(0, 3, 1, 2).to(hq.dtype) / 255


def _webp(image: np.ndarray, quality: float) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", quality=round(quality))
    return np.asarray(Image.open(buffer, formats=("WEBP",)).convert("RGB"))
