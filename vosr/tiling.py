"""Overlapping tiles: where they lie, and how their results are blended. Pure functions."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tile:
    """A rectangle in latent cells: rows [top, bottom), columns [left, right)."""

    top: int
    left: int
    bottom: int
    right: int

    def of(self, latent: Tensor, factor: int = 1) -> Tensor:
        """Cut from (…, h, w); ``factor`` pixels a cell for a picture."""
        return latent[..., self.top * factor : self.bottom * factor, self.left * factor : self.right * factor]


def starts(length: int, tile: int, overlap: int, step: int = 1) -> list[int]:
    """First cells of tiles that cover ``length``; the last tile ends at the end.

    Args:
        length: cells, a multiple of ``step``.
        tile: cells a tile, a multiple of ``step``.
        overlap: least number of cells that neighbours share.
        step: grid of the starts (the backbone's patch).
    """
    if length <= tile:
        return [0]
    count = -(-(length - overlap) // (tile - overlap))
    spread = (length - tile) / (count - 1)
    return [round(i * spread / step) * step for i in range(count)]


def tiles(height: int, width: int, tile: int, overlap: int, step: int = 1) -> list[Tile]:
    """Tiles that cover a latent grid."""
    tall, wide = min(tile, height), min(tile, width)
    return [
        Tile(top, left, top + tall, left + wide)
        for top in starts(height, tile, overlap, step)
        for left in starts(width, tile, overlap, step)
    ]


def window(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """Gaussian weights (height, width), positive, largest in the middle; sigma is a fifth of the side."""

    def axis(length: int) -> Tensor:
        position = (torch.arange(length, device=device) + 0.5) / length - 0.5
        return torch.exp(-0.5 * (position / 0.2).square())

    return axis(height)[:, None] * axis(width)


def blend(latent: Tensor, parts: list[Tile], value: Callable[[int, Tensor], Tensor]) -> Tensor:
    """Weighted mean of ``value(i, tile of latent)`` over overlapping tiles, (B, C, h, w)."""
    total = torch.zeros_like(latent)
    weight = latent.new_zeros(latent.shape[-2:])
    for i, part in enumerate(parts):
        importance = window(part.bottom - part.top, part.right - part.left, latent.device).to(latent)
        part.of(total).add_(value(i, part.of(latent)) * importance)
        part.of(weight).add_(importance)
    return total / weight
