"""Validation images from folders: clean ones alone, or real pairs of degraded and clean."""

import logging
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data_pipelines.crop import Crop
from data_pipelines.decode import decode, decode_crop
from data_pipelines.failures import ImageError
from data_pipelines.images import ImageSet, Sample
from data_pipelines.sources.shard import IMAGE_SUFFIXES, suffix_of

log = logging.getLogger(__name__)


class ImageFolder(ImageSet):
    """Clean photographs of a folder, searched recursively; the module degrades them, fixed by their names.

    Args:
        folder: where they lie.
        crop_size: height and width of the crop from the middle of each, in pixels; smaller photographs are
            enlarged to it.
        batch_size: images per validation batch.
    """

    def __init__(self, folder: str, crop_size: int = 512, batch_size: int = 4) -> None:
        super().__init__(batch_size)
        self.folder = Path(folder)
        self.crop_size = crop_size

    @cached_property
    def paths(self) -> list[Path]:
        """Readable images, by name."""
        return _readable(_images(self.folder), self._crop)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Sample:
        return Sample(self.names()[index], self._crop(self.paths[index].read_bytes()))

    def names(self) -> list[str]:
        return [path.relative_to(self.folder).as_posix() for path in self.paths]

    def _crop(self, encoded: bytes) -> NDArray[np.uint8]:
        return decode_crop(encoded, Crop(), self.crop_size)


class PairedFolders(ImageSet):
    """Real pairs: two folders in which a degraded and a clean image have the same file name, less its type.

    Args:
        lq: folder of the degraded images; those smaller than their partner are enlarged to it, bicubic.
        hq: folder of the clean images.
        crop_size: height and width of the crop from the middle of each clean image; null takes whole
            images, which then have to be of one size if batch_size is above 1.
        batch_size: images per validation batch.
    """

    def __init__(self, lq: str, hq: str, crop_size: int | None = None, batch_size: int = 1) -> None:
        super().__init__(batch_size)
        self.lq = Path(lq)
        self.hq = Path(hq)
        self.crop_size = crop_size

    @cached_property
    def pairs(self) -> dict[str, tuple[Path, Path]]:
        """Degraded and clean file of every readable pair, by name without type."""
        low, high = _by_stem(self.lq), _by_stem(self.hq)
        both, alone = sorted(low.keys() & high.keys()), sorted(low.keys() ^ high.keys())
        if not both:
            raise ValueError(f"No file of {self.lq} has the name, without type, of one in {self.hq}.")
        if alone:
            log.warning(
                "%d images have no partner and are left out: %s ...", len(alone), ", ".join(alone[:3])
            )
        good = {
            *_readable([low[stem] for stem in both], decode),
            *_readable([high[stem] for stem in both], decode),
        }
        return {stem: (low[stem], high[stem]) for stem in both if low[stem] in good and high[stem] in good}

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:
        stem = self.names()[index]
        low, high = (decode(path.read_bytes()) for path in self.pairs[stem])
        height, width, _ = high.shape
        if low.shape != high.shape:
            low = np.asarray(Image.fromarray(low).resize((width, height), Image.Resampling.BICUBIC))
        if self.crop_size is not None:
            low, high = (_middle(each, self.crop_size, stem) for each in (low, high))
        return Sample(stem, high, low)

    def names(self) -> list[str]:
        return list(self.pairs)


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ValueError(
            f"No folder {folder}; validation takes a folder, RealPhotographs, ImageFolder or PairedFolders."
        )
    paths = sorted(path for path in folder.rglob("*") if suffix_of(path.name) in IMAGE_SUFFIXES)
    if not paths:
        raise ValueError(f"{folder} holds no images ({', '.join(IMAGE_SUFFIXES)}).")
    return paths


def _by_stem(folder: Path) -> dict[str, Path]:
    paths = _images(folder)
    named = {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}
    if len(named) < len(paths):
        twice = next(path for path in paths if path not in named.values())
        raise ValueError(
            f"{twice} has the name, without type, of another file; pairs are found by that name."
        )
    return named


def _readable(paths: list[Path], read: Callable[[bytes], object]) -> list[Path]:
    """Those that can be read; every rank must have the same set, so this is found out before the first step."""
    good = []
    for path in paths:
        try:
            read(path.read_bytes())
            good.append(path)
        except (ImageError, OSError) as error:
            log.warning("Left out of validation: %s (%s)", path, error)
    if not good:
        raise ValueError(f"None of {len(paths)} validation images can be read; the first is {paths[0]}.")
    return good


def _middle(image: NDArray[np.uint8], size: int, name: str) -> NDArray[np.uint8]:
    height, width, _ = image.shape
    if min(height, width) < size:
        raise ValueError(
            f"The pair {name} is {width}x{height}, smaller than crop_size {size}; choose a smaller one."
        )
    left, top = Crop().corner(width, height, size)
    return np.ascontiguousarray(image[top : top + size, left : left + size])
