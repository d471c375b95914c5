"""Loss spikes: a warning, and the step is skipped if asked for."""

import logging
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor

from vosr.training.base import TrainingModule
from vosr.training.guarded_step import decides_on_device, poll_every

log = logging.getLogger(__name__)

LEAST = 10
"""Steps before there is a median to compare with."""
LASTING = 10
"""Steps in a row after which training has probably diverged."""


class LossSpike(Checkpoint):
    """Warns where the loss is many times its running median: finite, but a step by it may ruin the weights.

    The median is of the last steps, spikes among them, so that a loss that stays high for good (another term, other
    data) is the new measure after half as many steps. A loss is the mean over ranks and accumulated batches, without
    its sign: adversarial ones have either. Weights, their average and the optimizer stay as they were in a step that is
    left out. Comes after :class:`vosr.training.non_finite.NonFinite`, whose decision it narrows.

    Args:
        factor: of the median, above which a loss is a spike.
        window: steps that the median is of.
        skip: whether the optimizer leaves out the steps of spikes.
    """

    def __init__(self, factor: float = 10.0, window: int = 100, skip: bool = False) -> None:
        if not factor > 1:
            raise ValueError(f"factor must be above 1, not {factor}.")
        if window < LEAST:
            raise ValueError(f"window must be at least {LEAST}, not {window}.")
        self.factor = factor
        self.skip = skip
        self._losses = torch.full((window,), float("nan"))
        self._seen = 0
        self._sum: Tensor | float = 0.0
        self._decided: list[tuple[int, Tensor]] = []
        self._in_a_row = 0

    def state_dict(self) -> dict[str, Any]:
        return {"losses": self._losses.tolist(), "seen": self._seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if len(state_dict["losses"]) == len(self._losses):
            self._losses, self._seen = torch.tensor(state_dict["losses"]), state_dict["seen"]

    def on_before_backward(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor) -> None:
        self._sum = self._sum + loss.detach().float()

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        assert isinstance(pl_module, TrainingModule)
        loss, self._sum = self._sum, 0.0
        assert isinstance(loss, Tensor)
        if trainer.world_size > 1:
            loss = torch.as_tensor(trainer.strategy.reduce(loss, reduce_op="mean"))
        ratio = self._ratio(loss.abs())
        self._decided.append((trainer.global_step, ratio))
        if self.skip:
            kept = (ratio <= self.factor) | ~ratio.isfinite()  # what is not finite is not ours
            if decides_on_device(optimizer):
                pl_module.step_kept = torch.as_tensor(pl_module.step_kept, device=loss.device) & kept
            else:
                pl_module.step_kept = bool(pl_module.step_kept) and bool(kept)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        if len(self._decided) >= poll_every(pl_module.device):
            self._look(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._look(trainer)

    def _ratio(self, size: Tensor) -> Tensor:
        """A loss over the median of those before it, which it joins; 0 where they are too few."""
        self._losses = self._losses.to(size.device)
        ratio = size / self._losses.nanmedian() if self._seen >= LEAST else torch.zeros_like(size)
        self._losses[self._seen % len(self._losses)] = size
        self._seen += 1
        return ratio

    def _look(self, trainer: L.Trainer) -> None:
        """Read what was decided since the last look."""
        decided, self._decided = self._decided, []
        ratios = torch.stack([ratio for _, ratio in decided]).tolist() if decided else []
        for (step, _), ratio in zip(decided, ratios):
            self._in_a_row = self._in_a_row + 1 if self.factor < ratio < float("inf") else 0
            if trainer.is_global_zero:
                self._warn(step, ratio)

    def _warn(self, step: int, ratio: float) -> None:
        if self._in_a_row == 1:
            then = "the step is skipped" if self.skip else "--loss_spike.skip=true leaves such steps out"
            log.warning("The loss of step %d is %.3g times the median before it; %s.", step, ratio, then)
        elif self._in_a_row == LASTING:
            log.warning(
                "The loss has been over %g times the median for %d steps, up to step %d: training has probably "
                "diverged. Continue by --ckpt_path from a checkpoint before step %d, with a lower learning rate.",
                *(self.factor, LASTING, step, step - LASTING + 1),
            )
