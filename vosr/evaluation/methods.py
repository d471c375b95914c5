"""What is compared: the interface, and interpolations by name."""

from abc import ABC, abstractmethod

import numpy as np
from PIL import Image

from vosr.evaluation.benchmark import Benchmark, BenchmarkImage, Pixels

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
STAGES = (
    "LQ array to 8-bit result array: enlarging, encoding, sampling, decoding, colour correction; no files"
)
"""What the seconds of a report cover."""


class Method(ABC):
    """Something that turns an LQ into a result.

    Attributes:
        label: unique in a report, and the name of its folder.
        timed: whether it is computed here, so that seconds and memory mean something.
    """

    timed = True

    def __init__(self, label: str) -> None:
        self.label = label

    @abstractmethod
    def fingerprint(self) -> str:
        """Changes whenever results could change; known without opening the method."""

    def open(self) -> dict[str, object]:
        """Get ready (load weights); returns plain values that describe the method, shown with every figure."""
        return {}

    def close(self) -> None:  # noqa: B027  (few have something to do)
        """Let go of what :meth:`open` loaded."""

    def offers(self, benchmark: Benchmark) -> bool:
        """Whether it has results of a benchmark at all; where not, it is left out of that benchmark."""
        return True

    def check(self, benchmark: Benchmark, keys: list[str]) -> None:  # noqa: B027
        """Raise a ValueError if some of these samples cannot be done."""

    @abstractmethod
    def restore(self, benchmark: Benchmark, sample: BenchmarkImage) -> Pixels:
        """Result of ``sample.size``."""


class Interpolation(Method):
    """Pillow's enlargement, the baseline.

    Args:
        name: one of :data:`INTERPOLATIONS`.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._filter = INTERPOLATIONS[name]

    def fingerprint(self) -> str:
        return self.label

    def open(self) -> dict[str, object]:
        return {"kind": "interpolation", "device": "cpu", "dtype": "uint8", "parameters": 0, "stages": STAGES}

    def restore(self, benchmark: Benchmark, sample: BenchmarkImage) -> Pixels:
        return np.asarray(Image.fromarray(sample.lq).resize(sample.size, self._filter))
