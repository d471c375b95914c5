"""Random crop, flips and quarter turns: drawn apart from applied."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Crop:
    """Which part of a picture is seen, and how it is turned.

    Attributes:
        x: left edge as a share of the free width, in [0, 1].
        y: top edge as a share of the free height, in [0, 1].
        mirror: whether left and right are exchanged.
        quarter_turns: 0 to 3, counter-clockwise.
    """

    x: float = 0.5
    y: float = 0.5
    mirror: bool = False
    quarter_turns: int = 0

    @classmethod
    def draw(cls, rng: np.random.Generator, flips: bool, rotations: bool) -> "Crop":
        """Draw a crop uniformly; always the same number of draws from ``rng``."""
        x, y = rng.random(2)
        mirror, turns = rng.integers(2), rng.integers(4)
        return cls(float(x), float(y), bool(mirror) and flips, int(turns) if rotations else 0)

    def __call__(self, picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """Cut (size, size, 3) out of ``picture`` (H, W, 3), enlarging it first where its shorter side is less."""
        height, width, _ = picture.shape
        if min(height, width) < size:
            factor = size / min(height, width)
            target = (max(size, round(width * factor)), max(size, round(height * factor)))
            picture = np.asarray(Image.fromarray(picture).resize(target, Image.Resampling.BICUBIC))
            height, width, _ = picture.shape
        top, left = round(self.y * (height - size)), round(self.x * (width - size))
        cut = picture[top : top + size, left : left + size]
        if self.mirror:
            cut = cut[:, ::-1]
        return np.ascontiguousarray(np.rot90(cut, self.quarter_turns))
