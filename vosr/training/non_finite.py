"""Steps whose gradient is not a number: left out, counted, and too many of them end the run."""

import logging
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor

from vosr.core.files.atomic import write_atomically
from vosr.core.types import Batch
from vosr.training.base import TrainingModule
from vosr.training.guarded_step import decides_on_device, gradient_norm, parameters_of, poll_every

log = logging.getLogger(__name__)


class NonFiniteError(ValueError):
    """So many steps in a row without a finite gradient that training cannot go on."""


class NonFinite(Checkpoint):
    """Skips the optimizer step where the gradient's norm is not finite.

    Weights, their average and the optimizer stay as they were; step count and learning rate move on. The norm is that
    of the whole gradient, so all ranks decide alike. A fused optimizer decides on the device: what it left out is known
    every few steps, when the host looks.

    Args:
        folder: of the run, the trainer's own if not given; gets ``checkpoints/last.ckpt`` and ``non_finite/`` when
            training is given up.
        limit: skipped steps in a row after which it is.
    """

    def __init__(self, folder: Path | None = None, limit: int = 10) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}.")
        self.folder = folder
        self.limit = limit
        self.total = 0
        self._in_a_row = 0
        self._decided: list[tuple[int, Tensor | bool]] = []
        self._batches: list[Batch] = []

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._batches.append(batch)  # several, where gradients are accumulated

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        assert isinstance(pl_module, TrainingModule)
        norm = gradient_norm(parameters_of(optimizer))
        finite = norm.isfinite()
        kept = finite if decides_on_device(optimizer) else bool(finite)
        pl_module.gradient_norm, pl_module.step_kept = norm, kept
        self._decided.append((trainer.global_step, kept))

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, TrainingModule)
        if (batch_idx + 1) % trainer.accumulate_grad_batches and not trainer.is_last_batch:
            return
        batches, self._batches = self._batches, []
        if len(self._decided) < poll_every(pl_module.device):
            return
        if self._look(trainer):
            pl_module.log("skipped_steps", float(self.total), batch_size=1)
        if self._in_a_row >= self.limit:
            self._give_up(trainer, batches)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._look(trainer)

    def _look(self, trainer: L.Trainer) -> bool:
        """Read what was decided since the last look; whether a step was left out."""
        decided, self._decided = self._decided, []
        kept = torch.stack([torch.as_tensor(each) for _, each in decided]).tolist() if decided else []
        for (step, _), good in zip(decided, kept):
            self._in_a_row = 0 if good else self._in_a_row + 1
            if not good and trainer.is_global_zero:
                log.warning("The gradient of step %d is not finite; the step is skipped.", step)
        self.total += kept.count(False)
        return not all(kept)

    def _give_up(self, trainer: L.Trainer, batches: list[Batch]) -> None:
        step = trainer.global_step
        folder = self.folder or Path(trainer.default_root_dir)
        kept = folder / "non_finite"
        kept.mkdir(parents=True, exist_ok=True)
        record = [
            {"hq": b.hq.cpu(), "lq": None if b.lq is None else b.lq.cpu(), "key": b.key} for b in batches
        ]
        path = kept / f"step_{step:07d}_rank_{trainer.global_rank}.pt"
        write_atomically(path, lambda temporary: torch.save(record, temporary))
        checkpoint = folder / "checkpoints" / "last.ckpt"
        trainer.save_checkpoint(checkpoint)  # skipped steps changed nothing: these are the last good weights
        raise NonFiniteError(
            f"The gradient was not finite in {self.limit} steps in a row, up to step {step}. The weights before them "
            f"are in {checkpoint}, the last batch of every rank in {kept}. Lower the learning rate, or look at the "
            "batch; --ckpt_path last goes on."
        )
