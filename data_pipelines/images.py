"""Finite sets of images for validation: what they give, and how they are batched."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from vosr.core.registry import Component
from vosr.core.types import Batch


@dataclass(frozen=True)
class Sample:
    """One decoded image.

    Attributes:
        key: stable, unique name.
        hq: clean image, (H, W, 3) uint8 sRGB.
        lq: degraded image of the same size where there is a real pair.
    """

    key: str
    hq: NDArray[np.uint8]
    lq: NDArray[np.uint8] | None = None


class ImageSet(Component, Dataset[Sample], ABC):
    """A finite, ordered set of images of one size, for validation.

    Args:
        batch_size: images per batch.
    """

    def __init__(self, batch_size: int = 4) -> None:
        self.batch_size = batch_size

    @abstractmethod
    def __len__(self) -> int:
        """Number of images."""

    @abstractmethod
    def __getitem__(self, index: int) -> Sample:
        """Image number ``index``."""

    @abstractmethod
    def names(self) -> list[str]:
        """Keys of the images, in order."""


def collate(images: list[Sample]) -> Batch:
    """Stack images of one size into uint8 (B, 3, H, W)."""
    lq = [image.lq for image in images if image.lq is not None]
    return Batch(
        hq=_stacked([image.hq for image in images]),
        lq=_stacked(lq) if lq else None,
        key=[image.key for image in images],
    )


def _stacked(images: list[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
