"""Labelled picture grids."""

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

GAP, LABEL = 4, 20


def labelled_grid(columns: dict[str, Tensor]) -> Image.Image:
    """One column per title, one row per picture.

    Args:
        columns: title -> pictures (B, 3, H, W) in [0, 1], all of one shape.
    """
    first = next(iter(columns.values()))
    rows, _, height, width = first.shape
    canvas = Image.new(
        "RGB", (len(columns) * (width + GAP) - GAP, LABEL + rows * (height + GAP) - GAP), "white"
    )
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    for i, (title, pictures) in enumerate(columns.items()):
        left = i * (width + GAP)
        draw.text((left + 4, 2), title, fill="black", font=font)
        for j, picture in enumerate(pictures):
            canvas.paste(to_pil(picture), (left, LABEL + j * (height + GAP)))
    return canvas


def to_pil(picture: Tensor) -> Image.Image:
    """(3, H, W) in [0, 1] -> 8-bit RGB."""
    array = (picture.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(array)
