"""Image files of benchmarks and of results."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vosr.evaluation.benchmark import Pixels
from vosr.imaging.formats import SUFFIXES
from vosr.imaging.reading import read_photo


def read_image(path: Path) -> Pixels:
    """An image file in 8 bits, as protocols compare them.

    Raises:
        ValueError: unreadable.
    """
    pixels = read_photo(path).pixels
    return pixels if pixels.dtype == np.uint8 else np.round(pixels / np.float32(257)).astype(np.uint8)


def images_under(folder: Path) -> Iterator[Path]:
    """Images anywhere below a folder."""
    return (path for path in folder.rglob("*") if is_image_path(path))


def is_image_path(path: Path) -> bool:
    """Whether a file has an image's suffix."""
    return path.suffix.lower() in SUFFIXES and path.is_file()
