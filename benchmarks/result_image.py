"""Crops of a report side by side, as one image for the README.

python benchmarks/result_image.py report vosr_small_student vosr_small_teacher -o docs/images/result.png
"""

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

GAP, LABEL = 4, 20
CROPS = ("clean/chelsea_1", "moderate/astronaut_1", "moderate/coffee_1", "real_esrgan/motorcycle_1")
"""Chosen before any result was seen; the second and the last show failures."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", type=Path, help="folder of python main.py evaluate --data builtin")
    parser.add_argument("models", nargs="+", help="labels in the report, beside bicubic")
    parser.add_argument("--crops", nargs="+", default=list(CROPS), metavar="DEGRADATION/CROP")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    results = options.report / "results"
    columns = {
        "bicubic": results / "bicubic/builtin",
        **{model: results / model / "builtin" for model in options.models},
    }
    rows = [
        [*(opened(folder / f"{crop}.png") for folder in columns.values()), ground_truth(options.report, crop)]
        for crop in options.crops
    ]
    titles = [*columns, "ground truth"]
    width, height = rows[0][0].size
    size = len(titles) * (width + GAP) - GAP, LABEL + len(rows) * (height + GAP) - GAP
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for i, title in enumerate(titles):
        draw.text((i * (width + GAP) + 4, 2), title, fill="black", font=font)
        for j, row in enumerate(rows):
            sheet.paste(row[i], (i * (width + GAP), LABEL + j * (height + GAP)))
    sheet.save(options.output)


def ground_truth(report: Path, crop: str) -> Image.Image:
    """The report keeps each once, under one of the degradations."""
    return opened(next((report / "references/builtin").glob(f"*/{Path(crop).name}.png")))


def opened(path: Path) -> Image.Image:
    with Image.open(path, formats=("PNG",)) as image:
        return image.convert("RGB")


if __name__ == "__main__":
    main()
