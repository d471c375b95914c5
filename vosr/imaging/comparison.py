"""Before and after, gathered while the strips of a restored image pass by: previews, and the crops that differ most.

What is kept is bounded, whatever the size of the image.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from vosr.imaging.enlarging import enlarged_rows
from vosr.imaging.neutral import luma_rows
from vosr.imaging.photo import Photo

LONGEST = 2048
"""Longest side of a preview in pixels; larger images are averaged down by a whole factor."""
SIDE = 80
"""Side of a crop in pixels of the result."""
CROPS = 3
_CANDIDATES = 24
"""The best crops can be neighbours; so many are remembered to choose from."""


@dataclass(frozen=True, eq=False)
class CropPair:
    """A square of the result at ``left``, ``top``, before and after: (h, w, 3) uint8."""

    left: int
    top: int
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Compared:
    """What is shown of an image.

    Attributes:
        size: width and height of the result in pixels.
        before: preview of the input, enlarged by Pillow's bicubic, (h, w, 3) uint8 sRGB.
        after: preview of the result.
        crops: where the two differ most, apart from each other, the most different first.
    """

    size: tuple[int, int]
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    crops: list[CropPair]


class BeforeAfter:
    """Compares a photo with its restored strips.

    Args:
        photo: the input.
        size: width and height of the result.
    """

    def __init__(self, photo: Photo, size: tuple[int, int]) -> None:
        self._photo, self._size = photo, size
        self._factor = -(-max(size) // LONGEST)
        self._band = min(size[1], -(-SIDE // self._factor) * self._factor)
        self._previews: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
        self._best: list[tuple[float, int, CropPair]] = []
        self._number = count()
        self._held, self._top = np.zeros((0, size[0], 3), np.uint8), 0

    def watch(self, rows: Iterable[NDArray]) -> Iterator[NDArray]:
        """Look at strips (rows, W, 3) of uint8 or uint16 and pass them on.

        Each is looked at before it is passed on: who takes strips need not ask for one more after the last.
        """
        for strip in rows:
            self._held = np.concatenate([self._held, _eight_bit(strip)])
            while len(self._held) >= self._band:
                self._next(self._band)
            yield strip

    def result(self) -> Compared:
        """What was gathered, after the last strip."""
        if len(self._held):
            self._next(len(self._held))
        before, after = (np.concatenate(parts) for parts in zip(*self._previews))
        return Compared(self._size, before, after, self._apart())

    def _next(self, rows: int) -> None:
        band, self._held = self._held[:rows], self._held[rows:]
        self._look(band, self._top)
        self._top += rows

    def _look(self, band: NDArray[np.uint8], top: int) -> None:
        before, after = self._shown(band, top)
        self._previews.append((_averaged(before, self._factor), _averaged(after, self._factor)))
        height, width = min(SIDE, len(band)), min(SIDE, self._size[0])
        if len(band) < self._band:
            return  # the last, lower band: no room for a whole crop
        difference = np.abs(after.astype(np.int16) - before).mean(-1)[:height]
        for left in range(0, self._size[0] - width + 1, width):
            part = slice(left, left + width)
            score = float(difference[:, part].mean())
            crop = CropPair(left, top, before[:height, part].copy(), after[:height, part].copy())
            heapq.heappush(self._best, (score, next(self._number), crop))
            if len(self._best) > _CANDIDATES:
                heapq.heappop(self._best)

    def _shown(self, band: NDArray[np.uint8], top: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Rows of the enlarged input and of the result, transparency laid over white."""
        photo, (width, height) = self._photo, self._size
        bottom = top + len(band)
        full = np.iinfo(photo.pixels.dtype).max
        before = enlarged_rows(photo.pixels, width, height, top, bottom) * np.float32(255 / full)
        after = (luma_rows(band) if photo.grey or photo.neutral else band).astype(np.float32)
        if photo.alpha is not None:
            opaque = enlarged_rows(photo.alpha, width, height, top, bottom) / np.iinfo(photo.alpha.dtype).max
            share = np.clip(opaque, 0, 1, dtype=np.float32)[..., None]
            before, after = before * share + 255 * (1 - share), after * share + 255 * (1 - share)
        shown = [np.clip(np.round(image), 0, 255).astype(np.uint8) for image in (before, after)]
        return shown[0], np.broadcast_to(shown[1], shown[0].shape)

    def _apart(self) -> list[CropPair]:
        chosen: list[CropPair] = []
        for _, _, crop in sorted(self._best, key=lambda entry: -entry[0]):
            if all(
                max(abs(crop.left - other.left), abs(crop.top - other.top)) >= 2 * SIDE for other in chosen
            ):
                chosen.append(crop)
        return chosen[:CROPS]


def _eight_bit(strip: NDArray) -> NDArray[np.uint8]:
    return strip if strip.dtype == np.uint8 else np.round(strip / 257).astype(np.uint8)


def _averaged(rows: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Means of factor x factor squares; what is left over at the right and below is cut off."""
    if factor == 1:
        return rows
    height, width = len(rows) // factor, rows.shape[1] // factor
    squares = rows[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    return np.round(squares.mean((1, 3))).astype(np.uint8)
