"""Interface of procedural images."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray


class Drawn(ABC):
    """Images that are drawn, each a pure function of (seed, index).

    Args:
        size: height and width in pixels.
        seed: another seed gives other images.
    """

    def __init__(self, size: int = 256, seed: int = 0) -> None:
        self.size = size
        self.seed = seed

    @abstractmethod
    def __call__(self, index: int) -> NDArray[np.uint8]:
        """Image number ``index``, (size, size, 3) uint8 sRGB."""
