"""Interface of a metric: restored images, with or without references, to one figure per image and a mean."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torchmetrics import Metric as TorchMetric

from vosr.core.registry import Component
from vosr.core.weights import MissingWeightsError
from vosr.metrics.protocol import BORDER, eight_bit, without_border


class Metric(Component, TorchMetric, ABC):
    """Quality measure of restored images; accumulates over batches and ranks as torchmetrics does.

    All images are RGB (B, 3, H, W), uint8 or floating point in [0, 1], and are rounded to 8 bits before anything is
    measured. The restored image and its reference have one size; the LQ image has that size (enlarged) or is smaller.

    Attributes:
        title: short name for tables.
        unit: "dB" or nothing.
        digits: decimals worth printing.
        low: lowest possible value.
        high: highest possible value.
        higher_is_better: direction.
        needs_reference: ``reference`` must be given.
        needs_lq: ``lq`` must be given.
        over: what one figure is of. "image": :meth:`ImageMetric.measure` gives one per image; "set": :meth:`compute`
            gives one of all images; "film": a batch is the frames of one film.
        unavailable: None, or one sentence saying what is missing and where to put it; measuring then raises
            :class:`~vosr.core.weights.MissingWeightsError` with it.
    """

    title: ClassVar[str]
    unit: ClassVar[str] = ""
    digits: ClassVar[int] = 4
    low: ClassVar[float]
    high: ClassVar[float]
    needs_reference: ClassVar[bool] = True
    needs_lq: ClassVar[bool] = False
    over: ClassVar[Literal["image", "set", "film"]] = "image"
    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    unavailable: str | None = None

    def __init__(self) -> None:
        super().__init__()

    @abstractmethod
    def update(self, restored: Tensor, reference: Tensor | None = None, lq: Tensor | None = None) -> None:
        """Add a batch."""

    @abstractmethod
    def compute(self) -> Tensor:
        """The figure of everything since the last :meth:`reset`, a scalar; NaN of nothing."""

    def checked(
        self, restored: Tensor, reference: Tensor | None, lq: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The inputs at 8 bits, in [0, 1].

        Raises:
            MissingWeightsError: the metric is unavailable.
            ValueError: an input is missing, or does not fit the restored images.
        """
        if self.unavailable is not None:
            raise MissingWeightsError(self.unavailable)
        if restored.ndim != 4 or restored.shape[1] != 3:
            raise ValueError(f"{self.title} takes RGB images (B, 3, H, W), not {tuple(restored.shape)}.")
        for name, needed, image in (
            ("a reference", self.needs_reference, reference),
            ("the LQ image", self.needs_lq, lq),
        ):
            if needed and image is None:
                raise ValueError(f"{self.title} needs {name} of every restored image.")
        if reference is not None and reference.shape != restored.shape:
            raise ValueError(
                f"{self.title}: restored {tuple(restored.shape)} and reference {tuple(reference.shape)} differ in size."
            )
        if lq is not None and len(lq) != len(restored):
            raise ValueError(f"{self.title}: {len(restored)} restored images and {len(lq)} LQ images.")
        return (
            eight_bit(restored),
            None if reference is None else eight_bit(reference),
            None if lq is None else eight_bit(lq),
        )


class ImageMetric(Metric):
    """A metric that is the mean of one figure per image. Subclasses implement :meth:`score`."""

    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    @abstractmethod
    def score(self, restored: Tensor, reference: Tensor | None, lq: Tensor | None) -> Tensor:
        """Figures (B,) of images on the 8-bit grid in [0, 1]; what the metric needs is there."""

    def measure(self, restored: Tensor, reference: Tensor | None = None, lq: Tensor | None = None) -> Tensor:
        """One figure per image, float32 (B,), without adding to the mean; NaN where it does not apply to an image."""
        inputs = self.checked(restored, reference, lq)
        with torch.no_grad(), torch.autocast(restored.device.type, enabled=False):
            return self.score(*inputs).float()

    def add(self, values: Tensor) -> None:
        """Add figures that :meth:`measure` gave, so that they need not be computed twice."""
        self._computed = None
        self._update_count += 1
        self._add(values)

    def update(self, restored: Tensor, reference: Tensor | None = None, lq: Tensor | None = None) -> None:
        self._add(self.measure(restored, reference, lq))

    def compute(self) -> Tensor:
        return (self.total / self.count).float()

    def _add(self, values: Tensor) -> None:
        known = values[~values.isnan()]
        self.total = self.total + known.sum(dtype=torch.float64)
        self.count = self.count + len(known)


class PairMetric(ImageMetric):
    """A figure of a restored image against its reference. Subclasses implement :meth:`compare`."""

    @abstractmethod
    def compare(self, restored: Tensor, reference: Tensor) -> Tensor:
        """Figures (B,) of two batches on the 8-bit grid in [0, 1]."""

    def score(self, restored: Tensor, reference: Tensor | None, lq: Tensor | None) -> Tensor:
        assert reference is not None
        return self.compare(restored, reference)


class InsideMetric(PairMetric):
    """A figure of the pixels inside the protocol's border. Subclasses implement :meth:`compare` of what is inside.

    Args:
        border: pixels left out at each side.
    """

    def __init__(self, border: int = BORDER) -> None:
        super().__init__()
        self.border = border

    def score(self, restored: Tensor, reference: Tensor | None, lq: Tensor | None) -> Tensor:
        assert reference is not None
        return self.compare(without_border(restored, self.border), without_border(reference, self.border))
