"""Padding of images to the sizes that a model takes."""

import torch
from torch import Tensor


def pad_reflecting(image: Tensor, multiple: int, least: int = 0) -> Tensor:
    """Pad at the right and the bottom by reflection, again and again where the image is small.

    Args:
        image: (B, C, H, W).
        multiple: of both sides afterwards.
        least: smallest side afterwards.
    """
    rows, columns = (reflected(side, padded_side(side, multiple, least)) for side in image.shape[-2:])
    return image[:, :, rows.to(image.device)][..., columns.to(image.device)]


def padded_side(side: int, multiple: int, least: int = 0) -> int:
    """The smallest multiple of ``multiple`` that is no smaller than ``side`` and ``least``."""
    return -(-max(side, least) // multiple) * multiple


def reflected(side: int, padded: int) -> Tensor:
    """Which of ``side`` positions each of ``padded`` positions shows, int64 (padded,)."""
    position = torch.arange(padded)
    period = max(2 * (side - 1), 1)
    folded = position % period
    return torch.minimum(folded, period - folded).clamp_max(side - 1)
