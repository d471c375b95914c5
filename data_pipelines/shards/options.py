"""What is packed, and what is left out."""

from dataclasses import dataclass
from typing import Literal

from data_pipelines.sources.fields import KeyRule

ImageEncoding = Literal["png", "webp", "jpeg"]


@dataclass(frozen=True)
class Options:
    """Settings that decide the content of the shards, documented at :func:`write_shards`."""

    max_samples: int
    max_megabytes: float
    tile: int | None
    encode: ImageEncoding | None
    min_side: int
    min_gradient: float
    min_entropy: float
    keep_duplicates: bool
    near_duplicates: int | None
    shuffle_seed: int | None
    hq: str | None = None
    key: KeyRule = "sample"

    def __post_init__(self) -> None:
        self._check(self.max_samples >= 1, "max_samples must be at least 1", self.max_samples)
        self._check(self.max_megabytes > 0, "max_megabytes must be above 0", self.max_megabytes)
        self._check(self.tile is None or self.tile >= 16, "tile must be at least 16 pixels", self.tile)
        self._check(0 <= self.min_entropy < 8, "min_entropy must lie in 0..8 bits", self.min_entropy)
        self._check(0 <= self.min_gradient < 255, "min_gradient must lie in 0..255 levels", self.min_gradient)
        near = self.near_duplicates
        self._check(near is None or 0 <= near <= 16, "near_duplicates must lie in 0..16 bits", near)

    @staticmethod
    def _check(holds: bool, what: str, value: object) -> None:
        if not holds:
            raise ValueError(f"{what}, not {value}.")
