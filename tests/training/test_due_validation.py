"""A stop at a step with validation loses neither the validation nor the step's row in the log."""

import csv
import os
import signal

import lightning as L
import pytest
from doubles import ImageData
from layouts import teacher
from lightning.pytorch.loggers import CSVLogger

from vosr.training.due_validation import DueValidation
from vosr.training.preemption import SIGNALS, Preemption


@pytest.fixture(autouse=True)
def handlers():
    """Signals are handled as before, whatever the test's trainer set."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Probe(L.Callback):
    """Steps of validations; SIGTERM within a step or a validation."""

    def __init__(self, stop_at=None, in_validation=None):
        self.stop_at, self.in_validation, self.validated = stop_at, in_validation, []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step + 1 == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        if batch_idx == 1 and trainer.global_step == self.in_validation:
            raise KeyError("a fault")

    def on_validation_end(self, trainer, pl_module):
        self.validated.append((trainer.global_step, int(trainer.callback_metrics["images"])))


class Fault(L.Callback):
    """Saves at an exception, as :class:`RunCheckpoint` does."""

    def __init__(self, folder):
        self.folder = folder

    def on_exception(self, trainer, pl_module, exception):
        if not isinstance(exception, SystemExit):
            trainer.save_checkpoint(self.folder / "last.ckpt")


def run(folder, epoch, checkpoint=None, **probe):
    """Eight steps with a validation at each fourth; steps that validated, with the images of each."""
    module, watch = teacher(), Probe(**probe)
    plain = module.validation_step

    def validation_step(batch, batch_idx):
        module.log("images", float(len(batch.hq)), on_epoch=True, reduce_fx="sum", batch_size=1)
        return plain(batch, batch_idx)

    module.validation_step = validation_step
    trainer = L.Trainer(
        accelerator="cpu", devices=1, max_steps=8, val_check_interval=4, check_val_every_n_epoch=None,
        logger=CSVLogger(folder, name="log"), log_every_n_steps=1, num_sanity_val_steps=0,
        enable_progress_bar=False, enable_model_summary=False,
        callbacks=[watch, DueValidation(), Preemption(folder), Fault(folder)],
    )  # fmt: skip
    data = ImageData(count=2 * epoch, batch_size=2)  # validates four images in two batches
    try:
        trainer.fit(module, data, ckpt_path=checkpoint)
    except (SystemExit, KeyError):
        assert probe
    return watch.validated


def rows(folder):
    """Loss and whether there was a validation by step, of all runs in the folder."""
    found = {}
    for path in sorted(folder.glob("log/version_*/metrics.csv")):
        for row in csv.DictReader(path.open()):
            step = found.setdefault(int(row["step"]), {})
            step |= {name: value for name, value in row.items() if value}
    return found


@pytest.mark.parametrize("epoch", [10, 4, 2], ids=["within", "at its end", "of several"])
@pytest.mark.parametrize("stop", [3, 4, 5, 7])
def test_stopped_and_continued_is_undisturbed(tmp_path, epoch, stop):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run(whole, epoch) == [(4, 4), (8, 4)]
    first = run(parts, epoch, stop_at=stop)
    assert first == [(4, 4)] * (stop > 4)
    assert set(rows(parts)) == set(range(stop))  # the stop's own row too
    assert first + run(parts, epoch, parts / "last.ckpt") == [(4, 4), (8, 4)]
    assert rows(parts).keys() == rows(whole).keys()
    for step, row in rows(whole).items():
        assert row.keys() == rows(parts)[step].keys(), step


def test_a_validation_that_broke_off_is_run_whole(tmp_path):
    assert run(tmp_path, 10, in_validation=4) == []
    assert run(tmp_path, 10, tmp_path / "last.ckpt") == [(4, 4), (8, 4)]


def test_a_stop_in_the_last_step_lets_the_run_end(tmp_path):
    assert run(tmp_path, 10, stop_at=8) == [(4, 4), (8, 4)]
