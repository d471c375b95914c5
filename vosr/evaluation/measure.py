"""Metrics by name, applied to the results of a benchmark."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from vosr.evaluation.benchmark import BenchmarkImage, Pixels
from vosr.metrics import METRICS, ImageMetric, Metric

FAST = ("psnr_y", "ssim_y", "vgg_features", "feature_distance", "niqe", "consistency")
"""Metrics of ``fast``, as far as they are available: about a second an image on a CPU."""


def choose_metrics(names: list[str]) -> list[str]:
    """Registered names of a choice that may hold "fast" and "all".

    Raises:
        UnknownNameError: no such metric.
    """
    chosen: list[str] = []
    for choice in names:
        if choice == "fast":
            chosen += [
                name for name in FAST if name in METRICS.names() and METRICS.build(name).unavailable is None
            ]
        elif choice == "all":
            chosen += [name for name, cls in METRICS if cls.over != "film"]
        else:
            METRICS.get(choice)
            chosen.append(choice)
    return list(dict.fromkeys(chosen))


class Measures:
    """The chosen metrics on a device.

    Attributes:
        metrics: those that can be computed here, by registered name.
        unavailable: why the others cannot, by name.

    Args:
        names: registered names.
        device: where they run.
    """

    def __init__(self, names: Iterable[str], device: torch.device) -> None:
        self.metrics: dict[str, Metric] = {}
        self.unavailable: dict[str, str] = {}
        self._device = device
        for name in dict.fromkeys(names):
            metric = METRICS.build(name).to(device)
            if metric.unavailable is None:
                self.metrics[name] = metric
            else:
                self.unavailable[name] = metric.unavailable

    def of_image(
        self, names: Iterable[str], result: Pixels, sample: BenchmarkImage
    ) -> dict[str, float | None]:
        """Figures of one result; None where a metric does not apply (NaN)."""
        restored, lq = self._batch(result), self._batch(sample.lq)
        reference = None if sample.hq is None else self._batch(sample.hq)
        figures: dict[str, float | None] = {}
        for name in names:
            metric = self.metrics[name]
            assert isinstance(metric, ImageMetric)
            figures[name] = _known(float(metric.measure(restored, reference, lq)))
        return figures

    def of_set(self, name: str, pairs: Iterable[tuple[Pixels, BenchmarkImage]]) -> float | None:
        """The figure of a set of results, for metrics that have none per image."""
        metric = self.metrics[name]
        metric.reset()
        for result, sample in pairs:
            reference = None if sample.hq is None else self._batch(sample.hq)
            metric.update(self._batch(result), reference, self._batch(sample.lq))
        return _known(float(metric.compute()))

    def applicable(self, has_reference: bool, per_image: bool) -> list[str]:
        """Names of the metrics that samples with or without a reference have."""
        return [
            name
            for name, metric in self.metrics.items()
            if (metric.over == "image") is per_image and (has_reference or not metric.needs_reference)
        ]

    def _batch(self, image: Pixels) -> Tensor:
        return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].to(self._device)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
