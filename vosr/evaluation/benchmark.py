"""What a method is compared on: samples with their LQ, and the protocol that made them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(H, W, 3) sRGB."""


@dataclass(frozen=True, eq=False)
class BenchmarkImage:
    """One input of a benchmark.

    Attributes:
        key: unique in the benchmark: a relative path without suffix.
        group: samples of one group share a table; "" where the benchmark has one group.
        source: photograph it was cut from. Crops of one photograph are not independent, so they are resampled together.
        lq: degraded image, (h, w, 3).
        size: width and height of the result.
        hq: ground truth of that size; None where there is none.
    """

    key: str
    group: str
    source: str
    lq: Pixels
    size: tuple[int, int]
    hq: Pixels | None = None


class Benchmark(ABC):
    """A named, ordered set of samples, loaded one by one.

    Attributes:
        name: of the benchmark, as reports show it.
        has_reference: whether samples have a ground truth.
        protocol: plain values (JSON) that say how samples are made; a changed protocol is measured anew.
    """

    name: str
    protocol: dict[str, object]
    has_reference: bool = True

    @abstractmethod
    def names(self) -> list[str]:
        """Keys of all samples, in order."""

    @abstractmethod
    def load(self, key: str) -> BenchmarkImage:
        """One sample.

        Raises:
            ValueError: an image that cannot be read or does not fit the protocol.
        """
