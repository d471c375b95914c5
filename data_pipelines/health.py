"""Callback: share and reasons of unusable data in the metrics."""

from typing import Any

import torch.distributed as dist
from lightning.pytorch import Callback, LightningModule, Trainer

from data_pipelines.datamodule import ShardDataModule


class DataHealth(Callback):
    """Logs ``data/bad_share`` of this rank at every step, and counts of all ranks by reason every epoch."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Log the share so far."""
        module = _data_of(trainer)
        if module is not None:
            pl_module.log(
                "data/bad_share", module.tally.bad_share, on_step=True, on_epoch=False, batch_size=1
            )

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the totals."""
        module = _data_of(trainer)
        if module is None:
            return
        tallies = [module.tally]
        if trainer.world_size > 1:
            gathered: list[Any] = [None] * trainer.world_size
            dist.all_gather_object(gathered, module.tally)
            tallies = gathered
        counts = {"data/good": float(sum(tally.good for tally in tallies))}
        for reason in {reason for tally in tallies for reason in tally.bad}:
            counts[f"data/bad/{reason.value}"] = float(sum(tally.bad[reason] for tally in tallies))
        pl_module.log_dict(counts, on_step=False, on_epoch=True, batch_size=1)


def _data_of(trainer: Trainer) -> ShardDataModule | None:
    module = getattr(trainer, "datamodule", None)
    return module if isinstance(module, ShardDataModule) else None
