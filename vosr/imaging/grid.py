"""Labelled image grids and contact sheets."""

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

GAP, LABEL, LINE = 4, 20, 13


def labelled_grid(columns: dict[str, Tensor]) -> Image.Image:
    """One column per title, one row per image.

    Args:
        columns: title -> images (B, 3, H, W) in [0, 1], all of one shape; a title may have several lines.
    """
    first = next(iter(columns.values()))
    rows, _, height, width = first.shape
    above = LABEL + LINE * max(title.count("\n") for title in columns)
    canvas = Image.new(
        "RGB", (len(columns) * (width + GAP) - GAP, above + rows * (height + GAP) - GAP), "white"
    )
    draw, font, small = ImageDraw.Draw(canvas), ImageFont.load_default(14), ImageFont.load_default(11)
    for i, (title, images) in enumerate(columns.items()):
        left = i * (width + GAP)
        title, _, figures = title.partition("\n")
        draw.text((left + 4, 2), title, fill="black", font=font)
        draw.multiline_text((left + 4, LABEL), figures, fill="black", font=small, spacing=1)
        for j, image in enumerate(images):
            canvas.paste(to_pil(image), (left, above + j * (height + GAP)))
    return canvas


def contact_sheet(tiles: Tensor, labels: list[list[str]], columns: int) -> Image.Image:
    """Tiles in reading order, each with its lines of text below.

    Args:
        tiles: (B, 3, H, W) in [0, 1].
        labels: lines of each tile; a line that is too long goes on in the next.
        columns: tiles in a row.
    """
    font = ImageFont.load_default(11)
    height, width = tiles.shape[-2:]
    wrapped = [[part for line in lines for part in _wrap(line, width, font)] for lines in labels]
    below = LINE * max(map(len, wrapped)) + GAP
    rows = -(-len(tiles) // columns)
    canvas = Image.new("RGB", (columns * (width + GAP) - GAP, rows * (height + below + GAP) - GAP), "white")
    draw = ImageDraw.Draw(canvas)
    for i, (tile, lines) in enumerate(zip(tiles, wrapped)):
        left, top = i % columns * (width + GAP), i // columns * (height + below + GAP)
        canvas.paste(to_pil(tile), (left, top))
        draw.multiline_text(
            (left + 1, top + height + 1), "\n".join(lines), fill="black", font=font, spacing=1
        )
    return canvas


def _wrap(line: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """Break a line at spaces so that each part fits ``width`` pixels."""
    parts = [""]
    for word in line.split(" "):
        longer = f"{parts[-1]} {word}" if parts[-1] else word
        if parts[-1] and font.getlength(longer) > width:
            parts.append(f"  {word}")
        else:
            parts[-1] = longer
    return parts


def to_pil(image: Tensor) -> Image.Image:
    """(3, H, W) in [0, 1] -> 8-bit RGB."""
    array = (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(array)
