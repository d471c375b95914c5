"""What is drawn rather than photographed: pages of text, dialogs, line art and plots.

Restoring these wants sharp strokes of one pixel, flat grounds and letters that stay letters; photographs hold few.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from data_pipelines.synthetic.drawn import Drawn
from data_pipelines.synthetic.lettering import font, words

Colour = tuple[int, int, int]

_FACES = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-Bold", "STIXGeneral", "cmr10",
)  # fmt: skip
"""Typefaces inside matplotlib, used where that is installed; Pillow's own is always there."""


class Graphics(Drawn):
    """Pages of text, dialogs, line art and plots."""

    def __call__(self, index: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng([self.seed, index, 2])
        paint = (_page, _page, _dialog, _dialog, _line_art, _plot)[int(rng.integers(6))]
        times = 2 if paint is _line_art and rng.random() < 0.5 else 1  # antialiased by averaging, or not
        ground, ink = _colours(rng)
        image = Image.new("RGB", (self.size * times, self.size * times), ground)
        paint(rng, image, ink)
        return np.asarray(image.reduce(times) if times > 1 else image)


def _colours(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """Ground and ink that can be told apart: black on white above all, then the reverse, then any two."""
    kind = rng.random()
    if kind < 0.35:
        return (255, 255, 255), (0, 0, 0)
    if kind < 0.5:
        return (0, 0, 0), (255, 255, 255)
    ground, ink = rng.integers(0, 256, (2, 3))
    if kind < 0.7:  # an interface's greys
        ground, ink = np.full(3, rng.integers(200, 256)), np.full(3, rng.integers(0, 90))
        if rng.random() < 0.4:
            ground, ink = 255 - ground, 255 - ink
    if abs(int(ground.sum()) - int(ink.sum())) < 200:
        ink = np.where(ground.sum() > 380, ink // 4, 255 - (255 - ink) // 4)
    return _rgb(ground), _rgb(ink)


def _rgb(values: NDArray) -> Colour:
    red, green, blue = (int(value) for value in values)
    return red, green, blue


@lru_cache(maxsize=256)
def _face(number: int, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    package = find_spec("matplotlib")
    if number and package and package.origin:
        path = Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / f"{_FACES[number - 1]}.ttf"
        if path.is_file():
            return ImageFont.truetype(str(path), size)
    return font(size)


def _text_size(rng: np.random.Generator) -> int:
    return int(np.exp(rng.uniform(np.log(8), np.log(34))))


def _page(rng: np.random.Generator, image: Image.Image, ink: Colour) -> None:
    """Lines of text, now and then a heading, a rule, an indent as in programs, a word in another colour."""
    draw = ImageDraw.Draw(image)
    face, size = int(rng.integers(len(_FACES) + 1)), _text_size(rng)
    margin, y, indented = rng.uniform(-size, 2 * size), rng.uniform(-size, size), rng.random() < 0.3
    while y < image.height:
        height = size * 2 if rng.random() < 0.06 else size
        x = margin + (size * 2 * int(rng.integers(0, 4)) if indented else 0)
        colour = _rgb(rng.integers(0, 256, 3)) if rng.random() < 0.12 else ink
        length = int(rng.uniform(0.3, 2.2) * image.width / height)
        draw.text((x, y), words(rng, max(2, length)), fill=colour, font=_face(face, height))
        y += height * rng.uniform(1.15, 1.5)
        if rng.random() < 0.05:
            draw.line([0, y, image.width, y], fill=colour, width=1)
            y += size / 2


def _dialog(rng: np.random.Generator, image: Image.Image, ink: Colour) -> None:
    """Boxes in boxes: frames of one pixel, title bars, buttons, tick boxes, sliders and labels."""
    draw, size = ImageDraw.Draw(image), int(rng.integers(9, 18))
    face = _face(int(rng.integers(len(_FACES) + 1)), size)
    panel, accent = _rgb(rng.integers(170, 256, 3)), _rgb(rng.integers(0, 256, 3))
    if rng.random() < 0.5:
        draw.rectangle([0, 0, image.width, int(1.8 * size)], fill=accent)
        draw.text((size, size * 0.35), words(rng, 14), fill=_readable(accent), font=face)
    y = int(2.2 * size)
    while y < image.height:
        x, height = int(rng.integers(2, 3 * size)), int(size * rng.uniform(1.5, 2.2))
        while x < image.width:
            width = int(size * rng.uniform(1.5, 9))
            box = (x, y, x + width, y + height)
            if rng.random() < 0.35:
                draw.rounded_rectangle(box, radius=int(rng.integers(0, 6)), fill=panel, outline=ink, width=1)
                draw.text((x + 4, y + 3), words(rng, width // size), fill=_readable(panel), font=face)
            elif rng.random() < 0.5:
                _control(rng, draw, box, ink, accent)
            else:
                draw.text((x, y + 3), words(rng, max(3, width // size * 2)), fill=ink, font=face)
            x += width + int(rng.integers(4, 2 * size))
        y += height + int(rng.integers(2, size))


def _control(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    ink: Colour,
    accent: Colour,
) -> None:
    """A tick box, a slider or a coloured field."""
    left, top, right, bottom = box
    kind, middle, side = int(rng.integers(3)), (top + bottom) // 2, bottom - top - 6
    if kind == 0:
        draw.rectangle([left, top + 3, left + side, bottom - 3], outline=ink, width=1)
        if rng.random() < 0.5:
            tick = [left + 2, middle, left + side // 2, bottom - 5, left + side, top + 4]
            draw.line(tick, fill=accent, width=2)
    elif kind == 1:
        draw.line([left, middle, right, middle], fill=ink, width=1)
        knob = (left + right) // 2
        draw.ellipse([knob - 4, middle - 4, knob + 4, middle + 4], fill=accent)
    else:
        draw.rectangle(box, fill=accent)


def _readable(ground: Colour) -> Colour:
    return (0, 0, 0) if sum(ground) > 380 else (255, 255, 255)


def _line_art(rng: np.random.Generator, image: Image.Image, ink: Colour) -> None:
    """Outlines, curves, hatching and filled shapes, in strokes of 1 to 4 pixels."""
    draw, side = ImageDraw.Draw(image), image.width
    width = int(rng.integers(1, 5))
    for _ in range(int(rng.integers(6, 40))):
        centre, radius = rng.uniform(0, side, 2), side * rng.uniform(0.02, 0.35)
        colour = _rgb(rng.integers(0, 256, 3)) if rng.random() < 0.25 else ink
        fill = _rgb(rng.integers(0, 256, 3)) if rng.random() < 0.2 else None
        box = [*(centre - radius), *(centre + radius * rng.uniform(0.3, 1, 2))]
        kind = int(rng.integers(5))
        if kind == 0:
            draw.ellipse(box, outline=colour, fill=fill, width=width)
        elif kind == 1:
            corners = centre + radius * rng.normal(0, 0.7, (int(rng.integers(3, 8)), 2))
            draw.polygon(corners.ravel().tolist(), outline=colour, fill=fill, width=width)
        elif kind == 2:
            heading = rng.uniform(0, 7) + np.cumsum(rng.normal(0, 0.4, 24))
            points = centre + np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1) * radius / 6, axis=0)
            draw.line(points.ravel().tolist(), fill=colour, width=width, joint="curve")
        elif kind == 3:
            step, slope = int(rng.integers(2, 9)) * width, rng.uniform(-1, 1)
            for shift in range(0, int(radius) + 1, step):
                x = centre[0] + shift
                draw.line([x, centre[1], x + slope * radius, centre[1] + radius], fill=colour, width=width)
        else:
            draw.rectangle(box, outline=colour, fill=fill, width=width)


def _plot(rng: np.random.Generator, image: Image.Image, ink: Colour) -> None:
    """A diagram: axes with ticks and numbers, a grid, curves, bars or points."""
    draw, side, face = (
        ImageDraw.Draw(image),
        image.width,
        _face(int(rng.integers(8)), int(rng.integers(8, 14))),
    )
    left, bottom = int(rng.integers(20, 40)), side - int(rng.integers(16, 30))
    step = int(rng.integers(12, 40))
    for tick, at in enumerate(range(0, side, step)):
        if rng.random() < 0.7:
            draw.line([left + at, 0, left + at, bottom], fill=(160, 160, 160), width=1)
            draw.line([left, bottom - at, side, bottom - at], fill=(160, 160, 160), width=1)
        draw.text((left + at - 4, bottom + 3), str(tick), fill=ink, font=face)
        draw.text((3, bottom - at - 6), f"{tick / 10:.1f}", fill=ink, font=face)
    draw.line([left, 0, left, bottom, side, bottom], fill=ink, width=int(rng.integers(1, 3)))
    x = np.arange(left, side, 3)
    for _ in range(int(rng.integers(1, 5))):
        colour, level = _rgb(rng.integers(0, 256, 3)), rng.uniform(0.2, 0.8) * bottom
        y = level + np.cumsum(rng.normal(0, 4, len(x)))
        kind = rng.random()
        if kind < 0.5:
            draw.line(np.stack([x, y], 1).ravel().tolist(), fill=colour, width=int(rng.integers(1, 3)))
        elif kind < 0.75:
            for across, up in zip(x[::6], np.minimum(y, bottom)[::6]):
                draw.rectangle([across, up, across + 12, bottom], fill=colour, outline=ink)
        else:
            for across, up in zip(x[::3], y[::3]):
                draw.ellipse([across - 2, up - 2, across + 2, up + 2], fill=colour)
