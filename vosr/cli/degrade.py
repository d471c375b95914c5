"""``degrade``: what a degradation does to a photograph, as a contact sheet."""

from pathlib import Path

import numpy as np
import torch
from jsonargparse import ArgumentParser, Namespace

from vosr.core.console import PlainConsole
from vosr.core.seeds import generator_for
from vosr.degradations import Degradation
from vosr.degradations.contract import faults
from vosr.degradations.describe import describe_params
from vosr.imaging.formats import FORMATS, format_of
from vosr.imaging.grid import contact_sheet
from vosr.imaging.reading import read_photo
from vosr.imaging.writing import write_image


def add_arguments(parser: ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("photo", type=Path, nargs="?", help="A clean image; --check does without.")
    parser.add_argument("-o", "--output", type=Path, default=Path("degraded.png"), help="Image to write.")
    parser.add_argument(
        "--degradation",
        type=Degradation,
        default={"class_path": "vosr.degradations.RealESRGAN"},
        help="Registered name, class path, or a file or text with class_path and init_args.",
    )
    parser.add_argument("--rows", type=int, default=4, help="Rows of tiles.")
    parser.add_argument("--columns", type=int, default=4, help="Columns of tiles; the first tile is clean.")
    parser.add_argument("--size", type=int, default=256, help="Side of the central crop in pixels.")
    parser.add_argument(
        "--check",
        action="store_true",
        help="Check the degradation against the contract; write nothing.",
    )
    parser.add_argument("--seed", type=int, default=0, help="Of the drawn parameters.")


def run(options: Namespace) -> int:
    """Write the sheet: the clean crop, then one tile per draw with its parameters under it."""
    if options.check:
        return check(options.degradation, options.seed)
    if options.photo is None:
        raise ValueError("degrade needs a photo, or --check.")
    if options.rows < 1 or options.columns < 1 or options.rows * options.columns < 2:
        raise ValueError("rows and columns must give at least two tiles: the clean image and one draw.")
    if format_of(options.output) is None:
        endings = ", ".join(known.suffixes[0] for known in FORMATS.values())
        raise ValueError(f"{options.output} must end in one of {endings}.")
    if options.output.exists() and options.output.samefile(options.photo):
        raise ValueError(f"{options.photo} would overwrite itself; choose another output.")
    degradation: Degradation = options.degradation
    pixels = read_photo(options.photo).pixels
    values = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
    photo = torch.from_numpy(values).permute(2, 0, 1)[None]
    hq = central_crop(photo, options.size, degradation.scale)
    count = options.rows * options.columns - 1
    params = degradation.sample(count, generator_for("degrade", options.seed))
    tiles = torch.cat([hq, degradation.apply(hq.expand(count, -1, -1, -1), params)])
    labels = [["clean"], *(describe_params(degradation, params, i) for i in range(count))]
    sheet = contact_sheet(tiles, labels, options.columns)
    write_image(sheet, options.output)
    PlainConsole().print(f"{count} draws of {type(degradation).__name__}: {options.output}")
    return 0


def check(degradation: Degradation, seed: int) -> int:
    """Report how a degradation violates the contract.

    Raises:
        ValueError: something is.
    """
    name = type(degradation).__name__
    found = faults(degradation, seed=seed)
    if found:
        raise ValueError(f"{name} {'; it '.join(found)}.")
    PlainConsole().print(f"{name}: draws from its generator alone, and a batch gives what its images give.")
    return 0


def central_crop(image: torch.Tensor, size: int, multiple: int) -> torch.Tensor:
    """Middle of an image (1, 3, H, W), at most ``size`` pixels along each axis, sides multiples of ``multiple``."""
    height, width = (min(size, side) // multiple * multiple for side in image.shape[-2:])
    if not height or not width:
        raise ValueError(f"The image is too small: {tuple(image.shape[-2:])} for scale {multiple}.")
    top, left = (image.shape[-2] - height) // 2, (image.shape[-1] - width) // 2
    return image[..., top : top + height, left : left + width]
