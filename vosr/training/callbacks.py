"""Callbacks that write the images of each validation and the releasable model."""

import logging
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from vosr.checkpoints.training_state import CheckpointError
from vosr.core.files.atomic import write_atomically
from vosr.imaging.grid import labelled_grid
from vosr.training.base import GRID_ROWS, TrainingModule
from vosr.training.validation_metrics import column_titles

log = logging.getLogger(__name__)


class RunCheckpoint(ModelCheckpoint):
    """Saves at an exception where one rank runs: several do not fail together, and saving needs all of them."""

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        stopped = isinstance(exception, SystemExit | CheckpointError)  # saved already, or cannot save
        if trainer.world_size == 1 and not stopped:
            super().on_exception(trainer, pl_module, exception)
        if isinstance(exception, KeyboardInterrupt) and trainer.is_global_zero and trainer.training:
            log.warning("Interrupted at step %d; --ckpt_path last continues the run.", trainer.global_step)


class ImageGrid(L.Callback):
    """Writes one PNG per evaluation: the first images as rows, a column per kind (LQ | student | teacher | HQ).

    Args:
        folder: where to write ``step_<number>.png``, ``test.png`` or ``predict.png``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._columns: dict[str, list[Tensor]] = {}

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any, **__: Any
    ) -> None:
        if not trainer.sanity_checking:
            self._collect(outputs)

    def on_test_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any, **__: Any
    ) -> None:
        self._collect(outputs)

    def on_predict_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any, **__: Any
    ) -> None:
        self._collect(outputs)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._write(trainer, f"step_{trainer.global_step:07d}.png")

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._write(trainer, "test.png")

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._write(trainer, "predict.png")

    def _collect(self, outputs: Any) -> None:
        if not isinstance(outputs, dict):
            return
        for title, images in outputs.items():
            column = self._columns.setdefault(title, [])
            column.extend(images[: GRID_ROWS - len(column)].detach().cpu())

    @rank_zero_only
    def _write(self, trainer: L.Trainer, name: str) -> None:
        columns, self._columns = self._columns, {}
        if not columns or getattr(trainer, "fast_dev_run", False):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        module = trainer.lightning_module
        assert isinstance(module, TrainingModule)
        titles = column_titles(trainer, list(columns), module.kind)
        grid = labelled_grid({titles[title]: torch.stack(images) for title, images in columns.items()})
        write_atomically(self.folder / name, lambda temporary: grid.save(temporary, format="PNG"))


class ModelWriter(L.Callback):
    """Writes the averaged model as a model folder after every validation and at the end of training.

    Sharded weights stay in the checkpoints: the record alone is written, and ``export`` and every command that takes a
    run folder put them together.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @rank_zero_only
    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        if not getattr(trainer, "fast_dev_run", False) and pl_module.shards is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            pl_module.save_release(self.folder, weights=False)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._write(trainer, pl_module)

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._write(trainer, pl_module)

    @rank_zero_only
    def _write(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        if not getattr(trainer, "fast_dev_run", False) and pl_module.shards is None:
            pl_module.save_release(self.folder)
