"""Random crop, mirroring and quarter turns: drawn apart from applied."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Augmentation:
    """How a training crop is taken from an image.

    Args:
        flips: mirror half of the crops.
        rotations: turn the crops by 0, 90, 180 or 270 degrees.
        shrink_to: images whose shorter side is longer than this, in pixels, are reduced to it first, which
            JPEGs do while they are decoded; by default the crop is taken at full resolution.
    """

    flips: bool = True
    rotations: bool = True
    shrink_to: int | None = None

    def __post_init__(self) -> None:
        if self.shrink_to is not None and self.shrink_to < 1:
            raise ValueError(
                f"shrink_to must be a number of pixels of at least 1, or null, not {self.shrink_to}."
            )


@dataclass(frozen=True)
class Crop:
    """Which part of an image is seen, and how it is turned.

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
    def drawn(cls, uniform: Sequence[float], augmentation: Augmentation) -> "Crop":
        """A random crop from four numbers that are uniform in [0, 1)."""
        x, y, mirror, turns = uniform
        return cls(x, y, augmentation.flips and mirror < 0.5, int(4 * turns) if augmentation.rotations else 0)

    def corner(self, width: int, height: int, size: int) -> tuple[int, int]:
        """Left and top of a ``size`` crop in an image of ``width`` by ``height``."""
        return round(self.x * (width - size)), round(self.y * (height - size))


def working_scale(width: int, height: int, size: int, shrink_to: int | None) -> float:
    """Factor by which an image is resized before a ``size`` crop is taken.

    The reference's rule for small images: the shorter side is enlarged to ``size``, bicubic.
    """
    shorter = min(width, height)
    if shorter < size:
        return size / shorter
    if shrink_to is not None and shorter > max(shrink_to, size):
        return max(shrink_to, size) / shorter
    return 1.0
