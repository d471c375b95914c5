"""A metric of pairs of images."""

from torch import Tensor

from vosr.metrics import PairMetric


class MeanError(PairMetric):
    """Mean absolute error in 8-bit steps, [0, 255], lower is better."""

    title = "mean error"
    digits = 2
    low, high = 0.0, 255.0

    def compare(self, restored: Tensor, reference: Tensor) -> Tensor:
        return (restored - reference).abs().mean(dim=(1, 2, 3)) * 255
