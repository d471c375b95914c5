"""A learning-rate schedule that follows the optimizer's rate and the trainer's length; checks of those that do not."""

import logging
import math
from typing import Any

import lightning as L
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

log = logging.getLogger(__name__)


class CosineWithWarmup(LRScheduler):
    """Rises along half a cosine to the optimizer's own rate, and falls along another until the run ends.

    The curve of ``torch.optim.lr_scheduler.OneCycleLR``, but ``optimizer.lr`` is its peak and ``trainer.max_steps`` its
    length, in a continued run too. Steps beyond the length keep the last rate.

    Args:
        optimizer: its groups keep the proportions of their rates.
        warmup: share of the steps in which the rate rises.
        start: first rate, as a share of the peak.
        end: last rate, likewise.
        total_steps: length; by default that of the run.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        warmup: float = 0.05,
        start: float = 0.04,
        end: float = 4e-6,
        total_steps: int | None = None,
    ) -> None:
        if not 0 <= warmup < 1:
            raise ValueError(f"warmup of CosineWithWarmup must lie in [0, 1), not {warmup}.")
        self.warmup, self.start, self.end = warmup, start, end
        self.total_steps = total_steps
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """Rates of the groups at the current step."""
        return [rate * self._factor(self.last_epoch) for rate in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """The step alone: a continued run may have another rate, shape and length."""
        kept = super().state_dict()
        return {key: kept[key] for key in ("last_epoch", "_step_count")}

    def _factor(self, step: int) -> float:
        total = self.total_steps or 0
        peak = self.warmup * total - 1
        if self.warmup and (step < peak or step == 0):
            return _cosine(self.start, 1.0, step / peak if peak > 0 else 0.0)
        falling = total - 1 - max(peak, 0.0)
        return _cosine(1.0, self.end, min(1.0, (step - max(peak, 0.0)) / falling) if falling > 0 else 1.0)


def attach(schedule: LRScheduler, rate: float, trainer: L.Trainer, done: int = 0) -> None:
    """Give a schedule the length of the run, or hold the one that it has against it.

    Args:
        schedule: of any kind.
        rate: the optimizer's, before the schedule changed it.
        trainer: its limits are the length of the run.
        done: steps that the schedule counts as done before.

    Raises:
        ValueError: the run has no end and the schedule none of its own; or a OneCycleLR would end before the run.
    """
    if isinstance(schedule, CosineWithWarmup) and schedule.total_steps is None:
        steps = trainer.estimated_stepping_batches
        if math.isinf(steps):
            raise ValueError(
                "CosineWithWarmup ends with the run, which has no end: give --trainer.max_steps, or the schedule "
                "total_steps."
            )
        schedule.total_steps = done + int(steps)
    if isinstance(schedule, OneCycleLR):
        steps = trainer.estimated_stepping_batches
        if done + steps > schedule.total_steps:
            raise ValueError(
                f"OneCycleLR ends after total_steps={schedule.total_steps}, and the run has {done + steps:.0f} steps. "
                "Give both the same number, or take vosr.training.CosineWithWarmup, whose length is the run's."
            )
        peak = schedule.optimizer.param_groups[0]["max_lr"]
        if peak != rate:
            log.warning(
                "The peak of OneCycleLR is its max_lr=%g; model.optimizer.lr=%g has no effect.", peak, rate
            )


def follow(schedule: Any, rate: float) -> None:
    """Let a schedule that is under way have another peak."""
    if isinstance(schedule, CosineWithWarmup):
        schedule.base_lrs = [rate] * len(schedule.base_lrs)
        return
    log.warning(
        "%s keeps its own learning rates: the rate %.3g that was found has no effect. Take it without the finder, or "
        "--model.lr_scheduler=vosr.training.CosineWithWarmup or null.",
        type(schedule).__name__,
        rate,
    )


def _cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) / 2 * (1 + math.cos(math.pi * share))
