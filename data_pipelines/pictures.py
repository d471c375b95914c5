"""Finite sets of pictures for validation: what they give, and how they are batched."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from vosr.component import Component
from vosr.types import Batch


@dataclass(frozen=True)
class Picture:
    """One decoded picture.

    Attributes:
        key: stable, unique name.
        hq: clean picture, (H, W, 3) uint8 sRGB.
        lq: degraded picture of the same size where there is a real pair.
    """

    key: str
    hq: NDArray[np.uint8]
    lq: NDArray[np.uint8] | None = None


class PictureSet(Component, Dataset[Picture], ABC):
    """A finite, ordered set of pictures of one size, for validation.

    Args:
        batch_size: pictures per batch.
    """

    def __init__(self, batch_size: int = 4) -> None:
        self.batch_size = batch_size

    @abstractmethod
    def __len__(self) -> int:
        """Number of pictures."""

    @abstractmethod
    def __getitem__(self, index: int) -> Picture:
        """Picture number ``index``."""

    @abstractmethod
    def names(self) -> list[str]:
        """Keys of the pictures, in order."""


def collate(pictures: list[Picture]) -> Batch:
    """Stack pictures of one size into uint8 (B, 3, H, W)."""
    lq = [picture.lq for picture in pictures if picture.lq is not None]
    return Batch(
        hq=_stacked([picture.hq for picture in pictures]),
        lq=_stacked(lq) if lq else None,
        key=[picture.key for picture in pictures],
    )


def _stacked(pictures: list[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
