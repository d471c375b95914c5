"""Metrics by name, applied to the results of a benchmark."""

from collections.abc import Iterable

import torch
from torch import Tensor

from vosr.evaluation.benchmark import Pixels, Sample
from vosr.metrics import METRICS, ImageMetric, Metric


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

    def of_image(self, names: Iterable[str], result: Pixels, sample: Sample) -> dict[str, float | None]:
        """Figures of one result; None where a metric does not apply (NaN)."""
        restored, reference, lq = self._batch(result), self._batch(sample.hq), self._batch(sample.lq)
        figures: dict[str, float | None] = {}
        for name in names:
            metric = self.metrics[name]
            assert isinstance(metric, ImageMetric)
            value = float(metric.measure(restored, reference, lq)) if restored is not None else float("nan")
            figures[name] = value if value == value else None
        return figures

    def of_set(self, name: str, pairs: Iterable[tuple[Pixels, Sample]]) -> float | None:
        """The figure of a set of results, for metrics that have none per image."""
        metric = self.metrics[name]
        metric.reset()
        for result, sample in pairs:
            restored = self._batch(result)
            assert restored is not None
            metric.update(restored, self._batch(sample.hq), self._batch(sample.lq))
        value = float(metric.compute())
        return value if value == value else None

    def applicable(self, has_reference: bool, per_image: bool) -> list[str]:
        """Names of the metrics that samples with or without a reference have."""
        return [
            name
            for name, metric in self.metrics.items()
            if metric.per_image is per_image and (has_reference or not metric.needs_reference)
        ]

    def _batch(self, image: Pixels | None) -> Tensor | None:
        if image is None:
            return None
        return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].to(self._device)
