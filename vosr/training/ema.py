"""Exponential moving average of the trained backbone."""

from typing import Any

import lightning as L
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from vosr.training.phases import Phases


def update_average(average: nn.Module, model: nn.Module, decay: float, updates: int) -> None:
    """Move ``average`` towards ``model`` in place; both have the same parameters in the same order.

    The decay grows to its value over the first updates, min(decay, (1 + n) / (10 + n)), so that short runs are
    not held back by the start.
    """
    current = min(decay, (1 + updates) / (10 + updates))
    get_ema_multi_avg_fn(current)(list(average.parameters()), list(model.parameters()), updates)


class EMA(L.Callback):
    """Updates ``pl_module.average`` from ``pl_module.backbone`` once per optimizer step.

    Only the backbone is averaged, not the frozen parts. The averaged copy is a part of the module, so every
    strategy saves, shards and loads it like any other weight.

    Args:
        decay: of the average; METHOD section 8 uses 0.9999.
    """

    def __init__(self, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"ema_decay must be in [0, 1), not {decay}.")
        self.decay = decay
        self._seen = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._seen = trainer.global_step

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self._seen:  # within gradient accumulation
            return
        if not getattr(pl_module, "step_skipped", False):
            average, backbone, phases = pl_module.average, pl_module.backbone, pl_module.phases
            assert isinstance(average, nn.Module)
            assert isinstance(backbone, nn.Module)
            assert isinstance(phases, Phases)
            with phases("optimizer"):
                update_average(average, backbone, self.decay, self._seen)
        self._seen = trainer.global_step
