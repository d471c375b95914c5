"""Validation images: real photographs that come with scikit-image, never trained on."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data_pipelines.crop import Crop
from data_pipelines.images import ImageSet, Sample

PHOTOGRAPHS: dict[str, list[tuple[float, float]]] = {
    "astronaut.png": [(0.42, 0.12), (0.95, 0.95)],
    "coffee.png": [(0.35, 0.5), (1.0, 0.8)],
    "chelsea.png": [(0.5, 0.5)],
    "rocket.jpg": [(0.5, 0.5)],
    "motorcycle_left.png": [(0.35, 0.6), (0.95, 0.3)],
    "hubble_deep_field.jpg": [(0.2, 0.3)],
    "retina.jpg": [(0.6, 0.5)],
}
"""Photograph to crop positions, (x, y) as shares of the free space; all are inside the scikit-image wheel."""


class RealPhotographs(ImageSet):
    """Fixed crops of photographs inside scikit-image: a face, a cat, a motorcycle, stars and others.

    The JPEG ones are halved first, by area averaging, where that leaves at least one crop: ground truth
    without compression marks.

    Args:
        crop_size: height and width of the crops in pixels; at most 300, the smallest height.
        batch_size: crops per validation batch.
    """

    def __init__(self, crop_size: int = 256, batch_size: int = 4) -> None:
        super().__init__(batch_size)
        if not 16 <= crop_size <= 300:
            raise ValueError(f"crop_size of RealPhotographs must lie in 16..300 pixels, not {crop_size}.")
        self.crop_size = crop_size
        self._crops = [(name, at) for name, places in PHOTOGRAPHS.items() for at in places]

    def __len__(self) -> int:
        return len(self._crops)

    def __getitem__(self, index: int) -> Sample:
        name, (x, y) = self._crops[index]
        photograph = _clean(_folder() / name, self.crop_size)
        left, top = Crop(x, y).corner(photograph.shape[1], photograph.shape[0], self.crop_size)
        crop = photograph[top : top + self.crop_size, left : left + self.crop_size]
        return Sample(self.names()[index], np.ascontiguousarray(crop))

    def names(self) -> list[str]:
        return [f"{Path(name).stem}@{x:.2f},{y:.2f}" for name, (x, y) in self._crops]


def _clean(path: Path, smallest: int) -> NDArray[np.uint8]:
    with Image.open(path, formats=("PNG", "JPEG")) as photograph:
        rgb = photograph.convert("RGB")
    if path.suffix == ".jpg" and min(rgb.size) >= 2 * smallest:
        rgb = rgb.reduce(2)
    return np.asarray(rgb)


@cache
def _folder() -> Path:
    package = find_spec("skimage")
    folder = Path(package.origin).parent / "data" if package and package.origin else None
    if folder is None or not all((folder / name).is_file() for name in PHOTOGRAPHS):
        raise ValueError(
            "RealPhotographs reads photographs of scikit-image, which is not installed or came without them; "
            "`pip install scikit-image`, or give --data.validation a folder of photographs."
        )
    return folder
