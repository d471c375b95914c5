"""Trains the discriminator beside a student."""

from typing import Any

import lightning as L
from torch import Tensor

from vosr.objectives.adversarial import Adversary


class DiscriminatorTraining(L.Callback):
    """One discriminator update after each optimizer step, on the images of that step.

    Weights and optimizer of the discriminator are part of the checkpoint as this callback's state, the same on all
    ranks, sharded or not.

    Args:
        adversary: what trains.
    """

    def __init__(self, adversary: Adversary) -> None:
        self.adversary = adversary
        self._seen = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._seen = trainer.global_step
        self.adversary.share()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        pair: tuple[Tensor, Tensor] = pl_module.restored_pair  # type: ignore[assignment]
        with trainer.precision_plugin.forward_context():
            loss = self.adversary.accumulate(*pair, share=1 / trainer.accumulate_grad_batches)
        pl_module.log("loss/discriminator", loss, batch_size=len(pair[0]))
        if trainer.global_step != self._seen:
            self._seen = trainer.global_step
            self.adversary.update()

    def state_dict(self) -> dict[str, Any]:
        return self.adversary.training_state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.adversary.load_training_state(state_dict)
