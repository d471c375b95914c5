"""Means with bootstrap intervals, and paired differences with theirs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 5000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean and its interval.

    Attributes:
        mean: of all values.
        low: lower end of the 95 % interval; None where one photograph alone was measured.
        high: upper end.
        count: number of values.
    """

    mean: float
    low: float | None
    high: float | None
    count: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval says that the mean is not 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def estimate(values: Sequence[float], sources: Sequence[str]) -> Estimate | None:
    """Mean with a percentile bootstrap interval; None without values.

    Whole photographs are resampled, with all their crops (a cluster bootstrap): crops of one photograph are alike, and
    taken as independent they would give intervals that are too narrow. The random numbers are fixed.

    Args:
        values: one per sample.
        sources: photograph of each sample.
    """
    if not values:
        return None
    names = sorted(set(sources))
    index = {name: i for i, name in enumerate(names)}
    where = np.array([index[source] for source in sources])
    sums = np.bincount(where, np.asarray(values, np.float64), len(names))
    counts = np.bincount(where, minlength=len(names)).astype(np.float64)
    mean = float(sums.sum() / counts.sum())
    if len(names) == 1:
        return Estimate(mean, None, None, len(values))
    weights = _resamples(len(names))
    means = weights @ sums / (weights @ counts)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(means, [tail, 100 - tail])
    return Estimate(mean, float(low), float(high), len(values))


def _resamples(count: int) -> NDArray[np.float64]:
    """How often each of ``count`` photographs is drawn, (RESAMPLES, count)."""
    return np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(float)
