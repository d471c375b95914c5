"""``restore``: photographs from files or folders."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from jsonargparse import ArgumentParser, Namespace
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vosr.imaging.formats import SUFFIXES, format_of
from vosr.imaging.photo import Photo
from vosr.imaging.reading import read_photo
from vosr.imaging.writing import write_photo
from vosr.model import ColorFix
from vosr.restorer import Restorer

DEFAULT_MODEL = "vosr_small_student"


def add_arguments(parser: ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("photos", nargs="+", type=Path, help="Pictures or folders of pictures.")
    parser.add_argument("-o", "--output", type=Path, default=Path("restored"), help="Output folder, or file.")
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="Shipped name, model or run folder, or hub id."
    )
    parser.add_argument(
        "--companions", type=Path | None, help="Folder with the VAE and DINOv2 of a released model."
    )
    parser.add_argument(
        "--scale",
        type=float | None,
        help="Enlargement, at least 1; the trained one if not given.",
    )
    parser.add_argument(
        "--steps", type=int | None, help="Evaluations of the model; its own default if not given."
    )
    parser.add_argument("--guidance_scale", type=float | None, help="Teachers: larger is more faithful.")
    parser.add_argument("--weak_strength", type=float | None, help="Teachers: anchor of the weak branch.")
    parser.add_argument("--seed", type=int | None, help="Of the noise; made from each picture if not given.")
    parser.add_argument("--tile", type=int | None, help="Side of tiles in output pixels; 0 for none.")
    parser.add_argument(
        "--color_fix", type=ColorFix | None, help="Colour correction; the model's own if not given."
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps, …")


def run(options: Namespace) -> int:
    """Restore every photo; status 1 if some failed, 2 if nothing could be done."""
    jobs = plan(options.photos, options.output)
    restorer = Restorer.from_pretrained(options.model, options.device, companions=options.companions)
    failures: list[str] = []
    names = ("scale", "steps", "guidance_scale", "weak_strength", "seed", "tile", "color_fix")
    settings = {name: options[name] for name in names}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Restoring", total=len(jobs))
        for source, target in jobs:
            try:
                photo = read_photo(source)
            except ValueError as error:
                failures.append(str(error))
            else:
                restored = restore(restorer, photo, settings)
                write_photo(photo, [restored], (restored.shape[1], restored.shape[0]), target)
            progress.advance(task)
    for failure in failures:
        sys.stderr.write(f"error: {failure}\n")
    done = len(jobs) - len(failures)
    where = jobs[0][1] if len(jobs) == 1 else options.output
    if done:
        Console(soft_wrap=True).print(f"Restored {done} of {len(jobs)} pictures: {where}")
    return (1 if done else 2) if failures else 0


def restore(restorer: Restorer, photo: Photo, settings: dict[str, Any]) -> NDArray:
    """Restored colours of one photo, of the same type."""
    if photo.pixels.dtype == np.uint8:
        return restorer(photo.pixels, **settings)
    values = restorer(photo.pixels.astype(np.float32) / 65535, **settings)
    return np.round(values * 65535).astype(np.uint16)


def find_photos(source: Path) -> list[Path]:
    """The file itself, or every picture below a folder, sorted.

    Raises:
        ValueError: nothing there, or a folder without pictures.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise ValueError(f"No file or folder {source}.")
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise ValueError(f"No pictures in {source}; looked for {', '.join(SUFFIXES)}.")
    return found


def plan(photos: list[Path], output: Path) -> list[tuple[Path, Path]]:
    """Pairs of input and output; a folder's layout is kept, and names that would collide are kept apart.

    A single picture goes to ``output`` itself where that has a picture's suffix. JPEG becomes PNG unless the output
    file is named otherwise, since restoring is not worth losing to compression again.

    Raises:
        ValueError: nothing to do, or one output file for several pictures.
    """
    found = [
        (path, path.relative_to(root) if root.is_dir() else Path(path.name))
        for root in photos
        for path in find_photos(root)
    ]
    if format_of(output) is not None:
        if len(found) > 1:
            raise ValueError(f"{output} is one file, but there are {len(found)} pictures; give a folder.")
        return [(found[0][0], output)]
    if output.is_file():
        raise ValueError(f"{output} is a file; give a folder, or a name that ends in .png or .jpg.")
    jobs: list[tuple[Path, Path]] = []
    taken: set[Path] = set()
    for source, relative in found:
        target = output / relative.with_suffix(".png")
        if target in taken:
            target = output / relative.with_name(f"{relative.stem}_{relative.suffix[1:].lower()}.png")
        taken.add(target)
        jobs.append((source, target))
    return jobs
