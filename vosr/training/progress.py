"""Progress of a whole run: one bar on a terminal, one line per logging interval in a log file."""

import logging
import math
import time
from collections import deque
from datetime import timedelta
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ProgressBar
from rich import get_console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from vosr.training.batches import as_batch

log = logging.getLogger(__name__)

WINDOW = 900.0
"""Seconds over which speed is taken: long enough to hold validations and checkpoints, which cost time too."""


class Pace:
    """Speed and remaining time of a run from the moments at which its steps ended."""

    def __init__(self) -> None:
        self._ends: deque[tuple[float, int, int]] = deque()

    def mark(self, now: float, step: int, images: int) -> None:
        """Note that at ``now``, in seconds, ``step`` steps and ``images`` images are done."""
        self._ends.append((now, step, images))
        while len(self._ends) > 2 and self._ends[1][0] <= now - WINDOW:
            self._ends.popleft()

    def text(self, total: int | None) -> str:
        """Time left of ``total`` steps and images per second, in words; nothing before there is a speed."""
        (start, first, before), (end, step, images) = self._ends[0], self._ends[-1]
        if step == first or end <= start:
            return ""
        speed = f"{(images - before) / (end - start):.3g} images/s"
        if total is None:
            return speed
        left = (total - step) * (end - start) / (step - first)
        return f"{timedelta(seconds=round(left))} left  {speed}"


class RunProgress(ProgressBar):
    """Progress bar: steps, the time left of the whole run, speed and losses, however long an epoch is.

    Losses are read from the device after the first step and then once per logging interval.
    """

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._bar: Progress | None = None
        self._run: TaskID | None = None
        self._evaluation: TaskID | None = None
        self._pace = Pace()
        self._images = 0
        self._stepped = 0
        self._total: int | None = None
        self._metrics = ""

    def disable(self) -> None:
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        steps = trainer.max_steps if trainer.max_steps > 0 else trainer.estimated_stepping_batches
        self._total = int(steps) if math.isfinite(steps) else None
        self._stepped = trainer.global_step
        self._pace = Pace()
        self._pace.mark(time.monotonic(), trainer.global_step, self._images)
        bar = self._show()
        self._run = bar.add_task("", total=self._total, completed=trainer.global_step, status="")

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._images += len(as_batch(batch).hq) * trainer.world_size
        self._pace.mark(time.monotonic(), trainer.global_step, self._images)
        stepped = trainer.global_step > self._stepped  # not within gradient accumulation
        interval = stepped and trainer._logger_connector.should_update_logs
        self._stepped = trainer.global_step
        if self._enabled and (interval or not self._metrics):
            values = trainer.progress_bar_metrics
            self._metrics = "  ".join(f"{name} {float(value):.4g}" for name, value in values.items())
        status = "  ".join(filter(None, (self._pace.text(self._total), self._metrics)))
        if self._bar is not None and self._run is not None:
            self._bar.update(self._run, completed=trainer.global_step, status=status)
        if interval and self._enabled and not get_console().is_terminal:
            log.info("step %d/%s  %s", trainer.global_step, self._total or "?", status)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.sanity_checking:
            self._evaluate("validation", self.total_val_batches)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._evaluate("test", sum(trainer.num_test_batches))

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._evaluate("prediction", sum(trainer.num_predict_batches))

    def on_validation_batch_end(self, *_: Any, **__: Any) -> None:
        self._advance()

    def on_test_batch_end(self, *_: Any, **__: Any) -> None:
        self._advance()

    def on_predict_batch_end(self, *_: Any, **__: Any) -> None:
        self._advance()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._bar is not None and self._evaluation is not None and trainer.state.fn == "fit":
            self._bar.remove_task(self._evaluation)
            self._evaluation = None

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        self._hide()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._hide()

    def _show(self) -> Progress:
        if self._bar is None:
            columns = (MofNCompleteColumn(), BarColumn(16), TextColumn("{task.fields[status]}"))
            console = get_console()
            self._bar = Progress(
                *columns, console=console, disable=not (self._enabled and console.is_terminal)
            )
            self._bar.start()
        return self._bar

    def _evaluate(self, name: str, batches: float) -> None:
        total = batches if math.isfinite(batches) else None
        self._evaluation = self._show().add_task("", total=total, status=name)

    def _advance(self) -> None:
        if self._bar is not None and self._evaluation is not None:
            self._bar.advance(self._evaluation)

    def _hide(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar = None
