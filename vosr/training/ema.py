"""Exponential moving average of the trained backbone."""

from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from vosr.core.phases import Phases


def update_average(
    average: nn.Module, model: nn.Module, decay: float, updates: int, kept: Tensor | bool = True
) -> None:
    """Move ``average`` towards ``model`` in place; both have the same parameters in the same order.

    The decay grows to its value over the first updates, min(decay, (1 + n) / (10 + n)), so that short runs are
    not held back by the start.

    Args:
        average: to be moved.
        model: whose weights it averages.
        decay: final share of the average that is kept.
        updates: n, so far.
        kept: whether the model has moved, and the average is to; as a tensor it is not read.
    """
    share = 1 - min(decay, (1 + updates) / (10 + updates))
    averages, weights = ([p.detach() for p in module.parameters()] for module in (average, model))
    if isinstance(kept, Tensor):
        torch._foreach_lerp_(averages, weights, [share * kept.float()] * len(weights))
    elif kept:
        torch._foreach_lerp_(averages, weights, share)


class EMA(L.Callback):
    """Updates ``pl_module.average`` from ``pl_module.backbone`` once per optimizer step.

    Only the backbone is averaged, not the frozen parts. The averaged copy is a part of the module, so every
    strategy saves, shards and loads it like any other weight.

    Args:
        decay: of the average; the paper uses 0.9999 (docs/method.md#recipe).
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
        average, backbone, phases = pl_module.average, pl_module.backbone, pl_module.phases
        kept = getattr(pl_module, "step_kept", True)
        assert isinstance(average, nn.Module)
        assert isinstance(backbone, nn.Module)
        assert isinstance(phases, Phases)
        with phases("optimizer"):
            update_average(average, backbone, self.decay, self._seen, kept)
        self._seen = trainer.global_step
