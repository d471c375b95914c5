"""A run on two ranks with two workers each, killed in the middle of an epoch and continued."""

import json
import logging
import multiprocessing
import os
import signal

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from shard_files import clean_processes, write_shards_of
from torch import nn

from data_pipelines import ShardDataModule

COUNTS = [9, 4, 14, 0, 6, 11]  # 44 samples: an epoch is 11 batches of 2 on 2 ranks


class Recorder(L.LightningModule):
    """A model with a loss; writes down the keys and loss of every step, and may be killed."""

    def __init__(self, folder, kill_at=None, interrupt_at=None):
        super().__init__()
        self.folder, self.kill_at, self.interrupt_at = folder, kill_at, interrupt_at
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 1)

    def training_step(self, batch, _):
        if self.global_step == self.kill_at:
            os.killpg(os.getpgrp(), signal.SIGKILL)  # every rank and worker at once
        if self.global_step == self.interrupt_at:
            raise KeyboardInterrupt
        loss = (self.layer(batch.hq.float().mean((2, 3)) / 255) - 1).square().mean()
        line = {"step": self.global_step, "epoch": self.current_epoch, "keys": batch.key, "loss": loss.item()}
        with (self.folder / f"rank{self.global_rank}.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(shards, folder, devices, workers, kill_at, checkpoint, batches=None, interrupt_at=None, batch=2):
    os.dup2(os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    os.setsid()
    multiprocessing.set_start_method("fork", force=True)  # for the workers: they start at once
    logging.basicConfig(force=True)
    torch.set_num_threads(1)
    trainer = L.Trainer(
        accelerator="cpu", devices=devices, strategy="ddp_fork" if devices > 1 else "auto", max_epochs=3,
        logger=False, enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        limit_train_batches=batches,
        callbacks=[
            ModelCheckpoint(folder, "{step}", every_n_train_steps=4, save_top_k=-1, save_on_exception=True)
        ],
    )  # fmt: skip
    module = ShardDataModule(str(shards), crop_size=8, batch_size=batch, num_workers=workers)
    trainer.fit(Recorder(folder, kill_at, interrupt_at), module, ckpt_path=checkpoint)


def run(
    shards,
    folder,
    devices=2,
    workers=2,
    kill_at=None,
    checkpoint=None,
    batches=None,
    interrupt_at=None,
    batch=2,
):
    """One run in its own processes; lines per rank."""
    folder.mkdir()
    process = clean_processes().Process(
        target=fit, args=(shards, folder, devices, workers, kill_at, checkpoint, batches, interrupt_at, batch)
    )
    process.start()
    process.join(120)
    assert not process.is_alive(), "the run hangs"
    assert (process.exitcode == 0) == (kill_at is None and interrupt_at is None), (
        folder / "log.txt"
    ).read_text()
    lines = [
        [json.loads(line) for line in (folder / f"rank{rank}.jsonl").read_text().splitlines()]
        for rank in range(devices)
    ]
    return lines, (folder / "log.txt").read_text()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    shards = write_shards_of(folder / "shards", COUNTS)
    return shards, run(shards, folder / "run")[0]


@pytest.mark.parametrize("kill_at", [6, 19])
def test_same_layout_sees_the_same_batches_and_losses(uninterrupted, tmp_path, kill_at):
    shards, whole = uninterrupted
    assert [len(lines) for lines in whole] == [33, 33]
    run(shards, tmp_path / "killed", kill_at=kill_at)
    saved = 4 * (kill_at // 4)
    resumed, log = run(shards, tmp_path / "resumed", checkpoint=tmp_path / "killed" / f"step={saved}.ckpt")
    for expected, actual in zip(whole, resumed):
        assert actual == expected[saved:]
    assert "begin a new pass" not in log


def test_a_step_that_is_interrupted_is_done_again(tmp_path):
    """Ctrl-C in the middle of a step: the checkpoint written then is behind the last whole step, data and all."""
    shards = write_shards_of(tmp_path / "shards", COUNTS)
    layout = {"devices": 1, "workers": 2}
    (whole,), _ = run(shards, tmp_path / "whole", **layout)
    run(shards, tmp_path / "stopped", interrupt_at=7, **layout)
    (resumed,), _ = run(
        shards, tmp_path / "resumed", checkpoint=tmp_path / "stopped" / "step=7.ckpt", **layout
    )
    assert resumed == whole[7:]


def test_another_layout_goes_on_with_the_same_samples(uninterrupted, tmp_path):
    """Two ranks with two workers, then one rank with one and accumulated batches: the same samples in each step."""
    shards, whole = uninterrupted
    run(shards, tmp_path / "killed", kill_at=6)
    (resumed,), _ = run(
        shards,
        tmp_path / "resumed",
        devices=1,
        workers=1,
        checkpoint=tmp_path / "killed" / "step=4.ckpt",
        batch=4,
    )
    assert len(resumed) == 29
    for one, other, together in zip(whole[0][4:], whole[1][4:], resumed, strict=True):
        assert together["keys"] == one["keys"] + other["keys"]
        assert together["loss"] == pytest.approx((one["loss"] + other["loss"]) / 2, abs=1e-5)


def test_epochs_cut_short_go_on_where_they_stopped(tmp_path):
    shards = write_shards_of(tmp_path / "shards", COUNTS)
    (lines,), _ = run(shards, tmp_path / "run", devices=1, workers=2, batches=11)
    keys = [key for line in lines for key in line["keys"]]
    assert len(lines) == 33
    assert len(set(keys[:44])) == 44
