"""Inputs that show what photographs hide: flat colours, gradients, fine patterns, text, borders, black and white."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vosr.core.seeds import derive_seed
from vosr.evaluation.benchmark import Pixels

TEXT = (
    "File  Edit  View  Insert  Format  Tools  Help",
    "The quick brown fox jumps over the lazy dog.",
    "Pack my box with five dozen liquor jugs: 0123456789",
    "for (int i = 0; i < n; ++i) { sum += x[i] * y[i]; }",
    "Total      1,204.50 EUR      (incl. 19 % VAT)",
)
BORDER_COLOR = (236, 231, 222)
BORDER_WIDTH = 12


def flat(color: tuple[int, int, int], size: int) -> Pixels:
    """One colour, (size, size, 3)."""
    return np.full((size, size, 3), color, np.uint8)


def ramp(size: int, start: int, step: int, horizontal: bool) -> Pixels:
    """Grey gradient of ``step`` levels a pixel: exact in 8 bits, so that rounding is not counted as error."""
    line = np.arange(size) * step + start
    image = np.broadcast_to(line[None, :, None] if horizontal else line[:, None, None], (size, size, 3))
    return image.astype(np.uint8)


def ideal_ramp(size: int, start: int, step: int, horizontal: bool, scale: int) -> NDArray[np.float64]:
    """The same gradient at ``scale`` times the size."""
    line = ((np.arange(size * scale) + 0.5) / scale - 0.5) * step + start
    shape = (size * scale, size * scale, 3)
    return np.broadcast_to(line[None, :, None] if horizontal else line[:, None, None], shape)


def checkerboard(one: tuple[int, int, int], other: tuple[int, int, int], size: int) -> Pixels:
    """Two colours that alternate from pixel to pixel."""
    rows, columns = np.indices((size, size))
    return np.where(
        ((rows + columns) % 2)[..., None] == 0, np.array(one, np.uint8), np.array(other, np.uint8)
    )


def stripes(one: tuple[int, int, int], other: tuple[int, int, int], size: int, horizontal: bool) -> Pixels:
    """Lines of one pixel."""
    index = np.indices((size, size))[0 if horizontal else 1]
    return np.where((index % 2)[..., None] == 0, np.array(one, np.uint8), np.array(other, np.uint8))


def noisy_flat(level: int, sigma: float, size: int, grey: bool) -> Pixels:
    """A flat grey with Gaussian noise: what a mesh shows on most clearly."""
    rng = np.random.default_rng(derive_seed("noisy flat", level, sigma, grey))
    noise = rng.normal(0, sigma, (size, size, 1 if grey else 3))
    return np.broadcast_to(np.clip(np.round(level + noise), 0, 255), (size, size, 3)).astype(np.uint8)


def screenshot(width: int, height: int, font_size: int) -> Pixels:
    """Rendered text on a window with a title bar and a button."""
    image = Image.new("RGB", (width, height), (250, 250, 250))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(font_size)
    draw.rectangle((0, 0, width, font_size + 12), fill=(45, 62, 94))
    draw.text((8, 5), TEXT[0], fill=(255, 255, 255), font=font)
    for i, line in enumerate(TEXT[1:]):
        draw.text((8, 2 * font_size + i * (font_size + 8)), line, fill=(25, 25, 25), font=font)
    left, top = width - 5 * font_size, height - 2 * font_size
    draw.rounded_rectangle((left, top, width - 12, height - 12), 6, fill=(0, 110, 200))
    draw.text((left + font_size, top + 2), "OK 42", fill=(255, 255, 255), font=font)
    return np.asarray(image)


def line_art(size: int) -> Pixels:
    """Black curves, hatching and a filled shape on white, anti-aliased by reduction."""
    big = size * 4
    image = Image.new("L", (big, big), 255)
    draw = ImageDraw.Draw(image)
    for i in range(6):
        inset = 30 + i * big // 14
        draw.ellipse((inset, inset, big - inset, big - inset), outline=0, width=10 + 4 * (i % 3))
    for i in range(0, big // 3, 36):
        draw.line((i, 0, 0, i), fill=0, width=8)
    draw.polygon([(big - 40, 40), (big - 40, big // 4), (big - big // 4, 40)], fill=60)
    drawn = np.asarray(image.reduce(4))
    return np.repeat(drawn[..., None], 3, -1)


def photograph(size: int) -> Pixels:
    """Centre of scikit-image's cat, reduced to (size, size)."""
    spec = find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    with Image.open(Path(spec.origin).parent / "data/chelsea.png", formats=("PNG",)) as image:
        return np.asarray(
            image.convert("RGB").crop((90, 0, 390, 300)).resize((size, size), Image.Resampling.BICUBIC)
        )


def bordered(image: Pixels) -> Pixels:
    """The image inside a flat border of :data:`BORDER_WIDTH` pixels."""
    framed = np.empty((image.shape[0] + 2 * BORDER_WIDTH, image.shape[1] + 2 * BORDER_WIDTH, 3), np.uint8)
    framed[:] = BORDER_COLOR
    framed[BORDER_WIDTH:-BORDER_WIDTH, BORDER_WIDTH:-BORDER_WIDTH] = image
    return framed


def grey(image: Pixels) -> Pixels:
    """Black and white, stored as RGB."""
    return np.repeat(np.asarray(Image.fromarray(image).convert("L"))[..., None], 3, -1)
