"""What a pipeline needs of a model."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from numpy.typing import NDArray


class Engine(Protocol):
    """Restores arrays (H, W, 3) of sRGB colours, uint8 or uint16; the same type comes back."""

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the result.

        Raises:
            ValueError: an image that cannot have the size that was asked for.
        """

    def batch(self, images: Sequence[NDArray]) -> list[NDArray]:
        """Restore images of one shape together.

        Raises:
            ValueError, RuntimeError: they cannot be restored.
        """

    def rows(self, image: NDArray) -> Iterator[NDArray]:
        """Restore an image that is too large to hold, in strips (rows, W, 3) from top to bottom.

        Raises:
            ValueError, RuntimeError: as :meth:`batch`.
        """

    @property
    def settings(self) -> dict[str, object]:
        """What the result depends on, in values that JSON holds."""
