"""Benchmarks of image files: pairs, clean images that are degraded, or inputs without ground truth."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vosr.evaluation.benchmark import Benchmark, BenchmarkImage, Pixels
from vosr.evaluation.degrading import degradation
from vosr.evaluation.image_files import images_under, is_image_path, read_image
from vosr.metrics.protocol import BORDER

ENDING = re.compile(r"[ _-]*(?:HR|HQ|GT|LR|LQ|SR|LR_?x?\d|LQ_?x?\d|x\d|x\dm)$", re.IGNORECASE)
"""What the names of a pair differ in: Canon_001_HR.png and Canon_001_LR4.png, 0801.png and 0801x4.png."""
LQ_NAMES = ("lq", "LQ", "lr", "LR", "test_LR", "LR_bicubic/X4", "input", "inputs")
HQ_NAMES = ("hq", "HQ", "hr", "HR", "test_HR", "gt", "GT", "target", "targets")


@dataclass(frozen=True)
class FolderProtocol:
    """How the samples of a folder are made; the keys of ``configs/benchmark/*.yaml``.

    Args:
        name: of the benchmark.
        root: folder that ``hq`` and ``lq`` lie below.
        hq: folders or patterns (``**/*_HR.png``) of the ground truth; the first that exists is taken.
        lq: the same of the degraded images. Without ``hq`` nothing is known of the truth, and metrics that need a
            reference are left out; without ``lq`` they are made from ``hq`` by ``degradation``.
        scale: size of the HQ over that of the LQ; 1 where both have one size.
        crop: side of the centre crop of the HQ, in pixels; null keeps images whole.
        degradation: "clean", "moderate" or a registered name; fixed by the names of the images.
        degradation_args: of a registered degradation.
        description: shown in the report.
    """

    name: str
    root: str = "."
    hq: tuple[str, ...] = ()
    lq: tuple[str, ...] = ()
    scale: int = 4
    crop: int | None = 512
    degradation: str | None = None
    degradation_args: dict[str, Any] = field(default_factory=dict)
    description: str = ""

    def __post_init__(self) -> None:
        if not self.hq and not self.lq:
            raise ValueError(f"Benchmark {self.name} names no images: give hq, lq or both.")
        if self.hq and not self.lq and self.degradation is None:
            raise ValueError(f"Benchmark {self.name} has hq alone: name a degradation that makes the lq.")
        if self.scale < 1 or (self.crop is not None and self.crop < self.scale):
            raise ValueError(f"Benchmark {self.name}: scale must be at least 1, and crop at least the scale.")


class FolderBenchmark(Benchmark):
    """The images of a :class:`FolderProtocol`.

    Raises:
        ValueError: no such folder, no images, or no pairs.
    """

    def __init__(self, protocol: FolderProtocol) -> None:
        self.name = protocol.name
        self.has_reference = bool(protocol.hq)
        self._of = protocol
        high = _found(protocol, protocol.hq) if protocol.hq else {}
        low = _found(protocol, protocol.lq) if protocol.lq else {}
        keys = sorted(high.keys() & low.keys()) if high and low else sorted(high or low)
        if not keys:
            raise ValueError(
                f"Benchmark {protocol.name}: no LQ below {protocol.root} has the name of an HQ "
                f"(endings such as _HR and _LR4 aside)."
            )
        self._files = {key: (low.get(key), high.get(key)) for key in keys}
        self._degrade = None
        if not protocol.lq:
            assert protocol.degradation is not None
            self._degrade = degradation(protocol.degradation, protocol.scale, protocol.degradation_args)
        self.protocol = asdict(protocol) | {
            "images": len(keys),
            "without partner": len(high.keys() ^ low.keys()) if high and low else 0,
            "border": BORDER,
        }

    def names(self) -> list[str]:
        return list(self._files)

    def load(self, key: str) -> BenchmarkImage:
        low, high = self._files[key]
        scale, crop = self._of.scale, self._of.crop
        lq = None if low is None else read_image(low)
        hq = None if high is None else read_image(high)
        if lq is not None and hq is not None:
            lq, hq = _common(key, lq, hq, scale)
        if hq is not None:
            hq = _centre(hq, crop, scale)
        if lq is not None:
            lq = _centre(lq, None if crop is None else crop // scale, 1)
        else:
            assert hq is not None
            assert self._degrade is not None
            lq = self._degrade(hq, key)
        size = (lq.shape[1] * scale, lq.shape[0] * scale) if hq is None else (hq.shape[1], hq.shape[0])
        return BenchmarkImage(key, "", key, lq, size, hq)


def _common(key: str, lq: Pixels, hq: Pixels, scale: int) -> tuple[Pixels, Pixels]:
    """The part that both show, where sizes differ by the rounding of the scale alone."""
    for low, high in zip(lq.shape[:2], hq.shape[:2]):
        if abs(high - low * scale) >= max(scale, 2):
            raise ValueError(
                f"{key}: HQ {hq.shape[1]}x{hq.shape[0]} is not {scale} times LQ {lq.shape[1]}x{lq.shape[0]}; "
                "set the benchmark's scale."
            )
    height, width = (min(low, high // scale) for low, high in zip(lq.shape[:2], hq.shape[:2]))
    return lq[:height, :width], hq[: height * scale, : width * scale]


def _centre(image: Pixels, crop: int | None, multiple: int) -> Pixels:
    """Centre crop; its place and size are multiples of ``multiple``, so that LQ and HQ show the same part."""
    box = []
    for side in image.shape[:2]:
        whole = side // multiple * multiple
        part = whole if crop is None else min(whole, crop // multiple * multiple)
        start = (whole - part) // (2 * multiple) * multiple
        box.append(slice(start, start + part))
    return np.ascontiguousarray(image[tuple(box)])


def folder_protocol(folder: Path) -> FolderProtocol:
    """Protocol of a plain folder: pairs if it has folders for both (LR and HR, lq and hq …), else inputs alone."""
    lq = next((name for name in LQ_NAMES if (folder / name).is_dir()), None)
    hq = next((name for name in HQ_NAMES if (folder / name).is_dir()), None)
    name = re.sub(r"[^\w.-]", "_", folder.resolve().name) or "folder"
    if lq is None or hq is None:
        return FolderProtocol(name, str(folder), lq=("**/*",), crop=None)
    return FolderProtocol(name, str(folder), hq=(hq,), lq=(lq,), crop=None)


def _found(protocol: FolderProtocol, places: Sequence[str]) -> dict[str, Path]:
    """Images by key, of the first place that has some."""
    root = Path(protocol.root).expanduser()
    for place in places:
        magic = any(sign in place for sign in "*?[")
        base = root if magic else root / place
        if magic:
            paths = sorted(path for path in root.glob(place) if is_image_path(path))
        else:
            paths = sorted(images_under(base)) if base.is_dir() else []
        if paths:
            return _keys(base, paths)
    raise ValueError(
        f"Benchmark {protocol.name}: no images at {' or '.join(str(root / place) for place in places)}; "
        f"set root in its file, or give --data {protocol.name}=FOLDER."
    )


def _keys(base: Path, paths: list[Path]) -> dict[str, Path]:
    keys = {
        path: path.relative_to(base).with_name(ENDING.sub("", path.stem) or path.stem).as_posix()
        for path in paths
    }
    twice = len(set(keys.values())) < len(keys)
    return {
        path.relative_to(base).with_suffix("").as_posix() if twice else key: path
        for path, key in keys.items()
    }
