"""Rendered text: lines of invented words in Pillow's built-in typeface."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_LETTERS = np.array(list("eeeeettttaaaooonniisshrrdllucmfwypvbgkqjxz"))
_CAPITALS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789&%$#@!?+-"))


@lru_cache(maxsize=64)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's built-in font at ``size`` pixels."""
    return ImageFont.load_default(size)


def words(rng: np.random.Generator, length: int) -> str:
    """About ``length`` characters of invented words; capitals and numerals now and then."""
    parts: list[str] = []
    while sum(map(len, parts)) < length:
        alphabet = _LETTERS if rng.random() < 0.75 else _CAPITALS
        word = "".join(rng.choice(alphabet, rng.integers(2, 10)))
        parts.append(word.capitalize() if rng.random() < 0.2 else word)
    return " ".join(parts)


def lettering(rng: np.random.Generator, side: int) -> NDArray[np.float32]:
    """A page of text, (side, side) in [0, 255], light on dark or dark on light."""
    page = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(page)
    size = int(np.exp(rng.uniform(np.log(14), np.log(72))))
    y = 0.0
    while y < side:
        draw.text(
            (rng.uniform(-size, size), y), words(rng, int(2.2 * side / size)), fill=255, font=font(size)
        )
        y += size * rng.uniform(1.05, 1.5)
    ink = np.asarray(page, np.float32)
    return ink if rng.random() < 0.5 else 255 - ink
