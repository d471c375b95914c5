"""Cuts images into square tiles and keeps those with detail."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LARGE = 2000
"""Photographs with a longer side than this are halved first: denser detail, less noise and JPEG."""


def tiles(path: Path, side: int, most: float, over: int | None) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Tiles of an image at its own size and at half of it, with a name each.

    Args:
        path: image file.
        side: of a tile, in pixels.
        most: PSNR in dB that a tile must not reach when it is reduced and enlarged by 4 with bicubic
            interpolation: what is not lost there is smooth.
        over: grey level under transparent pixels; None skips tiles that have some.

    Raises:
        OSError: the file is not an image that Pillow reads.
    """
    with Image.open(path, formats=("JPEG", "PNG", "WEBP", "SGI")) as image:
        image = image.convert("RGBA")
    if over is not None:
        ground = Image.new("RGBA", image.size, (over, over, over, 255))
        image = Image.alpha_composite(ground, image)
    while max(image.size) > LARGE:
        image = image.reduce(2)
    for halvings in range(2):
        for name, tile in _cut(np.asarray(image), side):
            if tile[..., 3].min() == 255 and _survives(tile[..., :3]) < most:
                yield f"{halvings}-{name}", tile[..., :3]
        image = image.reduce(2)


def _cut(image: NDArray[np.uint8], side: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """As many disjoint tiles as fit, spread evenly over the image."""
    height, width = image.shape[:2]
    for top in _starts(height, side):
        for left in _starts(width, side):
            yield f"{top}-{left}", image[top : top + side, left : left + side]


def _starts(length: int, side: int) -> list[int]:
    count = length // side
    return [round(free) for free in np.linspace(0, length - side, count)] if count > 1 else [0] * count


def _survives(tile: NDArray[np.uint8]) -> float:
    """PSNR of a tile after bicubic reduction and enlargement by 4."""
    image = Image.fromarray(tile)
    small = image.resize((image.width // 4, image.height // 4), Image.Resampling.BICUBIC)
    back = np.asarray(small.resize(image.size, Image.Resampling.BICUBIC), np.float32)
    error = float(np.square(back - tile).mean())
    return 10 * float(np.log10(255**2 / max(error, 1e-9)))
