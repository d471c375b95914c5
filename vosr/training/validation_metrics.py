"""Metrics by name at every validation, of the restored images and of the degraded ones."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from vosr.metrics import METRICS, ImageMetric, Metric

FAST = ("psnr_y", "ssim_y", "feature_distance")
"""Cheap, always available, and not to be fooled together: fidelity, structure, perceived detail."""


def key(name: str, suffix: str = "") -> str:
    """What a metric is logged as: ``val/psnr_y``, ``val/psnr_y_input``."""
    return f"val/{name}{suffix}"


def suffixes(kind: str) -> dict[str, str]:
    """Column of the validation images -> ending of the logged name; ``kind`` is the trained model's column.

    Other columns, such as the teacher's, are of a few images only. "original" is what a light decoder imitates.
    """
    return {kind: "", "LQ": "_input", "original": "_original"}


class ValidationMetrics(L.Callback):
    """Logs ``val/NAME`` of the restored images and ``val/NAME_input`` of the degraded ones.

    Args:
        metrics: registered names (``python main.py components``), a few fast ones by default.

    Raises:
        ValueError: a metric cannot be computed here, or is of films.
        UnknownNameError: no metric has that name.
    """

    def __init__(self, metrics: list[str] = list(FAST)) -> None:  # noqa: B006  (read only)
        self.names = list(dict.fromkeys(metrics))
        self._metrics: dict[tuple[str, str], Metric] = {}
        for name in self.names:
            _usable(name)

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any, **__: Any
    ) -> None:
        if not trainer.sanity_checking:
            self._add(pl_module, outputs)

    def on_test_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any, **__: Any
    ) -> None:
        self._add(pl_module, outputs)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._log(pl_module)

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._log(pl_module)

    def _add(self, pl_module: L.LightningModule, images: dict[str, Tensor]) -> None:
        kind: Any = pl_module.kind
        hq, lq = images["HQ"], images.get("LQ")
        counted = _damaged(lq, hq)
        for title, suffix in suffixes(kind).items():
            restored = images.get(title)
            if restored is None or restored.shape != hq.shape:
                continue
            for name in self.names:
                metric = self._metric(name, suffix, restored)
                if metric is not None and counted.any():
                    metric.update(restored[counted], hq[counted], None if lq is None else lq[counted])

    def _metric(self, name: str, suffix: str, images: Tensor) -> Metric | None:
        """The metric of one column; those of sets are for the restored images alone."""
        if suffix and not issubclass(METRICS.get(name), ImageMetric):
            return None
        if (name, suffix) not in self._metrics:
            self._metrics[name, suffix] = METRICS.build(name).to(images.device)
        return self._metrics[name, suffix]

    def _log(self, pl_module: L.LightningModule) -> None:
        values = {key(*place): metric.compute() for place, metric in self._metrics.items()}
        for metric in self._metrics.values():
            metric.reset()
        pl_module.log_dict(values)
        if {"val/psnr_y", "val/psnr_y_input"} <= values.keys():
            pl_module.log("val/psnr_gain", values["val/psnr_y"] - values["val/psnr_y_input"], prog_bar=True)


def _damaged(lq: Tensor | None, hq: Tensor) -> Tensor:
    """Which images of a batch (B,) there is something to restore in, at 8 bits."""
    if lq is None or lq.shape != hq.shape:
        return hq.new_ones(len(hq), dtype=torch.bool)
    return ((lq * 255).round() != (hq * 255).round()).flatten(1).any(1)


class BestCheckpoint(ModelCheckpoint):
    """Keeps the checkpoint of the best validation by one metric in ``checkpoints/best``, whatever its direction.

    Args:
        metric: registered name; by default nothing is kept beside the newest checkpoints.
    """

    def __init__(self, metric: str | None = None) -> None:
        better = metric is not None and METRICS.get(metric).higher_is_better
        super().__init__(
            filename=f"{metric}_step_{{step:07d}}",
            monitor=None if metric is None else key(metric),
            mode="max" if better else "min",
            save_top_k=0 if metric is None else 1,
            auto_insert_metric_name=False,
            save_on_train_epoch_end=False,
        )


def column_titles(trainer: L.Trainer, titles: list[str], kind: str) -> dict[str, str]:
    """Titles of the validation images with the figures of their columns below, as last logged."""
    lines: dict[str, str] = {}
    for title in titles:
        figures = []
        for name, cls in METRICS if title in suffixes(kind) else ():
            value = trainer.callback_metrics.get(key(name, suffixes(kind)[title]))
            if value is not None:
                figures.append(f"{cls.title} {float(value):.{cls.digits}f} {cls.unit}".rstrip())
        lines[title] = "\n".join([title, *figures])
    return lines


def _usable(name: str) -> None:
    if METRICS.get(name).over == "film":
        raise ValueError(f"validation.metrics: {name} is of films; validation images are no film.")
    reason = METRICS.build(name).unavailable
    if reason is not None:
        raise ValueError(f"validation.metrics: {reason}")
