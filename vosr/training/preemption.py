"""Preemption: ending a run on a signal, with a checkpoint that continues it exactly."""

import logging
import os
import signal
import subprocess
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities import rank_zero_only

from vosr.training.guarded_step import poll_every

log = logging.getLogger(__name__)

REQUEUE = getattr(signal, "SIGUSR1", None)
"""What SLURM sends ahead of the time limit; Windows has no such signal."""
SIGNALS = tuple(number for number in (signal.SIGTERM, signal.SIGINT, REQUEUE) if number is not None)


class Preemption(Checkpoint):
    """On SIGTERM, SIGINT or SIGUSR1: finish the optimizer step, write ``last.ckpt``, exit with 128 + the signal.

    A signal to any rank ends all of them after the same step, on accelerators one of the next ten. After SIGUSR1,
    which SLURM sends ahead of the time limit (``#SBATCH --signal=USR1@300``), the job is put back into the queue. A
    second SIGINT does not wait.

    Args:
        folder: of the checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._received = 0
        self._ending = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        for (
            number
        ) in SIGNALS:  # in place of Lightning's handlers, which talk to other ranks in the middle of a step
            signal.signal(number, self._note)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if (batch_idx + 1) % trainer.accumulate_grad_batches and not trainer.is_last_batch:
            return
        received = self._received
        if trainer.world_size > 1:
            if trainer.global_step % poll_every(pl_module.device):
                return
            flag = torch.tensor(float(received), device=pl_module.device)
            received = int(trainer.strategy.reduce(flag, reduce_op="max"))
        if not received:
            return
        checkpoint = self.folder / "last.ckpt"
        trainer.save_checkpoint(checkpoint)
        if trainer.global_step == trainer.max_steps:
            return  # what is left is the end of the run itself
        self._report(signal.Signals(received), trainer.global_step, checkpoint)
        self._ending = received

    def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
        self._end()

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._end()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._end()

    def _end(self) -> None:
        """Leave, once the saved step has its row in the log: whatever Lightning calls first after that."""
        if self._ending:
            raise SystemExit(128 + self._ending)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == self._received == signal.SIGINT:
            raise KeyboardInterrupt
        self._received = number

    @rank_zero_only
    def _report(self, received: signal.Signals, step: int, checkpoint: Path) -> None:
        log.warning(
            "%s: stopped after step %d, %s is written. The same command with --ckpt_path auto continues.",
            received.name,
            step,
            checkpoint,
        )
        job = os.environ.get("SLURM_JOB_ID")
        if received == REQUEUE and job:
            subprocess.run(["scontrol", "requeue", job], check=False)
