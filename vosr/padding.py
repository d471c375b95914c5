"""Padding of pictures to the sizes that a model takes."""

import torch
from torch import Tensor


def pad_reflecting(image: Tensor, multiple: int, least: int = 0) -> Tensor:
    """Pad at the right and the bottom by reflection, again and again where the picture is small.

    Args:
        image: (B, C, H, W).
        multiple: of both sides afterwards.
        least: smallest side afterwards.
    """
    rows, columns = (_reflected(side, max(side, least), multiple) for side in image.shape[-2:])
    return image[:, :, rows.to(image.device)][..., columns.to(image.device)]


def _reflected(side: int, wanted: int, multiple: int) -> Tensor:
    position = torch.arange(-(-wanted // multiple) * multiple)
    period = max(2 * (side - 1), 1)
    folded = position % period
    return torch.minimum(folded, period - folded).clamp_max(side - 1)
