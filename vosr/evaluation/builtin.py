"""Benchmark that needs no download: photographs inside installed packages, never trained on here."""

import logging
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from vosr.evaluation.benchmark import Benchmark, BenchmarkImage, Pixels
from vosr.evaluation.degrading import degradation
from vosr.metrics.protocol import BORDER

log = logging.getLogger(__name__)
PHOTOGRAPHS: dict[str, tuple[str, list[tuple[float, float]]]] = {
    "astronaut": ("skimage/data/astronaut.png", [(0.42, 0.08), (0.95, 0.95), (0.05, 0.6)]),
    "coffee": ("skimage/data/coffee.png", [(0.4, 0.55), (1.0, 0.9), (0.0, 0.1)]),
    "chelsea": ("skimage/data/chelsea.png", [(0.3, 0.5), (1.0, 0.8)]),
    "rocket": ("skimage/data/rocket.jpg", [(0.45, 0.5), (1.0, 1.0)]),
    "motorcycle": ("skimage/data/motorcycle_left.png", [(0.35, 0.6), (0.95, 0.3), (0.05, 0.95)]),
    "china": ("sklearn/datasets/images/china.jpg", [(0.1, 0.5), (1.0, 0.5)]),
    "flower": ("sklearn/datasets/images/flower.jpg", [(0.4, 0.5), (1.0, 0.5)]),
    "grace_hopper": ("matplotlib/mpl-data/sample_data/grace_hopper.jpg", [(0.5, 0.15), (0.5, 1.0)]),
}
"""Name to file within site-packages and crop positions, (x, y) as shares of the free space."""
DEGRADATIONS = ("clean", "moderate", "real_esrgan")
SCALE = 4
CROP = 256
"""Side of a crop; of photographs that are smaller, the largest multiple of 16 that fits."""


class Builtin(Benchmark):
    """Crops of eight photographs inside scikit-image, scikit-learn and matplotlib, x4, in three degradations.

    JPEG photographs are halved first (area averaging), so that the ground truth has no compression artefacts.
    Photographs of packages that are not installed are left out, with a warning and in the protocol.

    Args:
        degradations: those of :data:`DEGRADATIONS` that are taken.

    Raises:
        ValueError: a degradation that is none of them.
    """

    name = "builtin"

    def __init__(self, degradations: tuple[str, ...] = DEGRADATIONS) -> None:
        unknown = next((name for name in degradations if name not in DEGRADATIONS), None)
        if unknown is not None:
            raise ValueError(f"builtin has no degradation {unknown!r}; it has {', '.join(DEGRADATIONS)}.")
        self._crops = {
            f"{name}_{i + 1}": (name, at)
            for name, (_, places) in PHOTOGRAPHS.items()
            if _path(name) is not None
            for i, at in enumerate(places)
        }
        missing = [name for name in PHOTOGRAPHS if _path(name) is None]
        if missing:
            log.warning(
                "builtin is incomplete, without %s: pip install scikit-image scikit-learn matplotlib.",
                ", ".join(missing),
            )
        self._degrade = {name: degradation(name, SCALE) for name in degradations}
        self.protocol = {
            "samples": "crops of photographs inside scikit-image, scikit-learn and matplotlib",
            "left out": missing,
            "crop": CROP,
            "scale": SCALE,
            "border": BORDER,
            "degradations": list(degradations),
        }

    def names(self) -> list[str]:
        return [f"{kind}/{crop}" for kind in self._degrade for crop in self._crops]

    def load(self, key: str) -> BenchmarkImage:
        kind, _, crop = key.partition("/")
        photograph, place = self._crops[crop]
        hq = _cropped(_photograph(photograph), place)
        return BenchmarkImage(
            key, kind, photograph, self._degrade[kind](hq, key), (hq.shape[1], hq.shape[0]), hq
        )


def _path(name: str) -> Path | None:
    package, _, inside = PHOTOGRAPHS[name][0].partition("/")
    spec = find_spec(package)
    path = Path(spec.origin).parent / inside if spec and spec.origin else None
    return path if path is not None and path.is_file() else None


@cache
def _photograph(name: str) -> Pixels:
    path = _path(name)
    assert path is not None
    with Image.open(path, formats=("PNG", "JPEG")) as photograph:
        rgb = photograph.convert("RGB")
    return np.asarray(rgb.reduce(2) if path.suffix == ".jpg" else rgb)


def _cropped(photograph: Pixels, place: tuple[float, float]) -> Pixels:
    height, width, _ = photograph.shape
    side = min(CROP, min(height, width) // 16 * 16)
    left, top = round(place[0] * (width - side)), round(place[1] * (height - side))
    return np.ascontiguousarray(photograph[top : top + side, left : left + side])
