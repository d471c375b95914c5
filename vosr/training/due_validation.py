"""A validation that a checkpoint came before is run when the run goes on."""

from typing import Any

import lightning as L


class DueValidation(L.Callback):
    """Makes checkpoints say whether the validation of their step is still to come.

    Lightning's say so only while one is under way. Of a step that is both saved and validated, the checkpoint comes
    first; going on from it passed the validation over. One that was interrupted begins anew: the metrics of its first
    half are gone.
    """

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        loops = checkpoint["loops"]["fit_loop"]
        batches, images = (loops[f"epoch_loop.{name}batch_progress"] for name in ("", "val_loop."))
        due = _is_due(trainer)
        if due:
            for count in (batches["total"], batches["current"]):
                count["completed"] = count["processed"]
            images["current"] = dict.fromkeys(images["current"], 0)
            images["is_last_batch"] = False
        done = images["total"]["completed"]
        begun = done + due  # one batch begun and not completed is how Lightning knows
        images["total"] |= {"ready": begun, "started": begun, "processed": done}


def _is_due(trainer: L.Trainer) -> bool:
    """Whether the current step, which is done, has its validation yet to come, or to be finished."""
    loop = trainer.fit_loop.epoch_loop
    if trainer.validating:
        return loop.val_loop.batch_progress.current.completed < sum(loop.val_loop.max_batches)
    count: Any = loop.batch_progress.total
    fetcher = trainer.fit_loop._data_fetcher
    step_ends = count.completed < count.processed == count.ready
    return step_ends and fetcher is not None and loop._should_check_val_fx(fetcher)
