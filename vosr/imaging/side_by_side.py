"""The before-and-after image: both previews, and below them the crops that differ most, magnified."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vosr.imaging.comparison import Compared

_PANEL, _TALLEST = 720, 1080
_GAP, _TITLE = 6, 26
_ZOOM = 3
_MARK = (255, 196, 0)
_PAPER, _INK = (24, 24, 24), (235, 235, 235)
BEFORE, AFTER = "input, bicubic", "restored"


def side_by_side(compared: Compared) -> Image.Image:
    """One image; the crops are numbered and marked in both previews."""
    panels = [_panel(preview, compared) for preview in (compared.before, compared.after)]
    rows = [_row(panels, (BEFORE, AFTER))]
    pairs = [
        (f"{i + 1}", [_magnified(crop.before), _magnified(crop.after)])
        for i, crop in enumerate(compared.crops)
    ]
    if pairs:
        rows.append(_pairs(pairs))
    canvas = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)), _PAPER)
    top = 0
    for row in rows:
        canvas.paste(row, (0, top))
        top += row.height
    return canvas


def _panel(preview: NDArray[np.uint8], compared: Compared) -> Image.Image:
    image = Image.fromarray(preview)
    scale = min(_PANEL / image.width, _TALLEST / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    panel = image.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(panel)
    scale = panel.width / compared.size[0]
    for i, crop in enumerate(compared.crops):
        height, width = crop.after.shape[:2]
        box = [round(side * scale) for side in (crop.left, crop.top, crop.left + width, crop.top + height)]
        draw.rectangle(box, outline=_MARK, width=2)
        draw.text((box[0] + 5, box[1] + 2), str(i + 1), fill=_MARK, font=ImageFont.load_default(16))
    return panel


def _magnified(crop: NDArray[np.uint8]) -> Image.Image:
    height, width = crop.shape[:2]
    return Image.fromarray(crop).resize((width * _ZOOM, height * _ZOOM), Image.Resampling.NEAREST)


def _row(images: list[Image.Image], titles: tuple[str, ...]) -> Image.Image:
    width = sum(image.width for image in images) + _GAP * (len(images) + 1)
    row = Image.new("RGB", (width, _TITLE + max(image.height for image in images) + _GAP), _PAPER)
    draw, left = ImageDraw.Draw(row), _GAP
    for image, title in zip(images, titles, strict=True):
        draw.text((left + 2, 4), title, fill=_INK, font=ImageFont.load_default(15))
        row.paste(image, (left, _TITLE))
        left += image.width + _GAP
    return row


def _pairs(pairs: list[tuple[str, list[Image.Image]]]) -> Image.Image:
    images = [image for _, pair in pairs for image in pair]
    titles = tuple(f"{number}  {kind}" for number, _ in pairs for kind in (BEFORE, AFTER))
    return _row(images, titles)
