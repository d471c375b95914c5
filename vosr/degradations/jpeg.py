"""JPEG compression and decompression of a batch on its own device, one quality per image.

Baseline JPEG as libjpeg writes it by default: standard tables, chroma halved along both axes, coefficients rounded.
"""

import math

import torch
from torch import Tensor

# Annex K of the JPEG standard.
LUMA_TABLE = torch.tensor((
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
), device="cpu")  # fmt: skip
CHROMA_TABLE = torch.tensor((
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8 for _ in range(4)),
), device="cpu")  # fmt: skip
TO_YCBCR = torch.tensor(
    ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312)), device="cpu"
)
TO_RGB = torch.tensor(((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0)), device="cpu")


def _block_transform() -> Tensor:
    """Orthonormal cosine transform of 8 x 8 blocks, flat, one basis function a row: (64, 64)."""
    n = torch.arange(8, dtype=torch.float64, device="cpu")
    basis = torch.cos(math.pi / 8 * n[:, None] * (n[None] + 0.5)) * math.sqrt(2 / 8)
    basis[0] /= math.sqrt(2)
    return torch.kron(basis, basis)


BLOCK_TRANSFORM = _block_transform()


def jpeg(image: Tensor, quality: Tensor) -> Tensor:
    """Compress and decompress.

    Args:
        image: (B, 3, H, W) in [0, 1], any size; the edge is repeated up to whole blocks.
        quality: libjpeg's, 1 to 100, (B,).

    Returns:
        Same shape, in [0, 1], in 8-bit steps.
    """
    height, width = image.shape[-2:]
    image = _edge_padded(image, 16)
    ycbcr = _colour(image.clamp(0, 1).mul_(255).round_(), TO_YCBCR)
    table_scale = _table_scale(quality).to(image.dtype)
    luma = _coded(ycbcr[:, :1] - 128, _table(LUMA_TABLE, table_scale)) + 128
    halved = torch.nn.functional.avg_pool2d(ycbcr[:, 1:], 2).round()
    chroma = _coded(halved, _table(CHROMA_TABLE, table_scale))
    chroma = _triangle_upsampled(chroma)
    rgb = _colour(torch.cat([luma, chroma], dim=1), TO_RGB)
    return rgb[..., :height, :width].round().clamp_(0, 255).div_(255)


def _table_scale(quality: Tensor) -> Tensor:
    quality = quality.float().clamp(1, 100).floor()
    return torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)


def _table(table: Tensor, scale: Tensor) -> Tensor:
    return ((table.to(scale, non_blocking=True) * scale.view(-1, 1, 1) + 50) / 100).floor().clamp(1, 255)


def _coded(planes: Tensor, table: Tensor) -> Tensor:
    """Block cosine transform, quantisation and back, for planes (B, C, H, W) in 8-bit steps."""
    batch, channels, height, width = planes.shape
    transform = BLOCK_TRANSFORM.to(planes, non_blocking=True)
    blocks = (
        planes.view(batch, channels, height // 8, 8, width // 8, 8).transpose(3, 4).reshape(batch, -1, 64)
    )
    steps = table.view(batch, 1, 64)
    blocks = (blocks @ transform.T / steps).round_().mul_(steps) @ transform
    blocks = blocks.view(batch, channels, height // 8, width // 8, 8, 8)
    return blocks.transpose(3, 4).reshape(batch, channels, height, width)


def _triangle_upsampled(planes: Tensor) -> Tensor:
    """Double the size as libjpeg decodes chroma: weights 3/4 and 1/4 along each axis."""
    return torch.nn.functional.interpolate(planes, scale_factor=2, mode="bilinear", align_corners=False)


def _colour(image: Tensor, matrix: Tensor) -> Tensor:
    return (matrix.to(image, non_blocking=True) @ image.flatten(2)).view_as(image)


def _edge_padded(image: Tensor, multiple: int) -> Tensor:
    bottom, right = -image.shape[-2] % multiple, -image.shape[-1] % multiple
    return torch.nn.functional.pad(image, (0, right, 0, bottom), mode="replicate")
