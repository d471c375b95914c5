"""What the progress bar says, on a terminal and in a log file."""

import io
import logging
import re

import lightning as L
import pytest
import rich
from doubles import Dim, ImageData, MeanEncoder, ShuffleAutoencoder
from rich.console import Console

from vosr.backbones import LightningDiT
from vosr.guidance import RestorationGuidance
from vosr.model import Sampling
from vosr.objectives import FlowMatching
from vosr.training import TeacherModule
from vosr.training.progress import WINDOW, Pace, RunProgress
from vosr.training.validation_metrics import ValidationMetrics


def module():
    return TeacherModule(
        ShuffleAutoencoder(), MeanEncoder(),
        lambda c, z: LightningDiT(c, z, width=32, depth=1, heads=2, latent_grid=8),
        RestorationGuidance(), FlowMatching(), Dim(), Sampling(steps=1),
    )  # fmt: skip


def fit(folder, bar, **options):
    trainer = L.Trainer(
        **{
            "max_steps": 5, "log_every_n_steps": 2, "accelerator": "cpu", "logger": False,
            "callbacks": [bar, ValidationMetrics(["psnr_y"])],
            "enable_checkpointing": False, "enable_model_summary": False, "num_sanity_val_steps": 0,
            "default_root_dir": folder, "val_check_interval": 2, "check_val_every_n_epoch": None, **options,
        }
    )  # fmt: skip
    trainer.fit(module(), ImageData(count=12))  # three batches are an epoch
    return trainer


@pytest.fixture
def screen(monkeypatch):
    """What is written to a terminal 100 columns wide."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100, color_system=None)
    monkeypatch.setattr("vosr.training.progress.get_console", lambda: console)
    return file


@pytest.fixture
def lines(monkeypatch, caplog):
    """What is logged where there is no terminal."""
    monkeypatch.setattr("vosr.training.progress.get_console", lambda: Console(file=io.StringIO()))
    caplog.set_level(logging.INFO, logger="vosr")
    return lambda: [record.getMessage() for record in caplog.records if record.name.startswith("vosr")]


def test_time_left_and_speed():
    pace = Pace()
    pace.mark(1000.0, 20, 0)  # a continued run
    assert pace.text(100) == ""
    pace.mark(1030.0, 40, 640)
    assert pace.text(100) == "0:01:30 left  21.3 images/s"  # 60 steps at two thirds of a step per second
    assert pace.text(None) == "21.3 images/s"


def test_speed_is_that_of_the_recent_past():
    pace = Pace()
    for step in range(5000):  # one step per second, later two
        pace.mark(step if step < 3000 else 3000 + (step - 3000) / 2, step, step)
    assert pace.text(6001) == "0:08:21 left  2 images/s"
    assert len(pace._ends) <= 2 * WINDOW + 2


def test_a_terminal_shows_the_whole_run_over_many_epochs(tmp_path, screen):
    fit(tmp_path, RunProgress())
    last = [line for line in screen.getvalue().replace("\r", "\n").splitlines() if "loss" in line][-1]
    assert re.search(r"5/5 .*0:00:00 left  [\d.e+]+ images/s  loss [\d.]+  val/psnr_gain -?[\d.]+", last), (
        last
    )
    assert "validation" in screen.getvalue()
    assert "Epoch" not in screen.getvalue()


def test_a_log_file_gets_one_line_per_interval(tmp_path, lines):
    fit(tmp_path, RunProgress(), accumulate_grad_batches=2)
    steps = [re.match(r"step (\d)/5  \d:\d\d:\d\d left  .* images/s  loss [\d.]+", line) for line in lines()]
    assert [found.group(1) for found in steps] == ["2", "4"]


def test_a_run_without_an_end_has_no_time_left(tmp_path, lines):
    class Stop(L.Callback):
        def on_train_batch_end(self, trainer, *args):
            trainer.should_stop = trainer.global_step == 4

    bar = RunProgress()
    fit(tmp_path, bar, max_steps=-1, max_epochs=-1, callbacks=[bar, Stop()])
    assert lines()[0].startswith("step 2/?  ")
    assert "left" not in lines()[0]


def test_epochs_give_the_number_of_steps(tmp_path, lines):
    fit(tmp_path, RunProgress(), max_steps=-1, max_epochs=2)
    assert lines()[-1].startswith("step 6/6  0:00:00 left")


def test_losses_are_read_once_per_interval(tmp_path, screen, monkeypatch):
    reads = []
    original = L.Trainer.progress_bar_metrics.fget
    monkeypatch.setattr(
        L.Trainer,
        "progress_bar_metrics",
        property(lambda self: reads.append(self.global_step) or original(self)),
    )
    fit(tmp_path, RunProgress(), max_steps=9, log_every_n_steps=4)
    assert reads == [1, 4, 8]


def test_other_ranks_are_silent(tmp_path, screen):
    bar = RunProgress()
    bar.disable()
    fit(tmp_path, bar)
    assert screen.getvalue() == ""


def test_validation_alone_has_a_bar(tmp_path, screen):
    bar = RunProgress()
    trainer = L.Trainer(
        accelerator="cpu", logger=False, callbacks=[bar], enable_model_summary=False,
        enable_checkpointing=False, default_root_dir=tmp_path,
    )  # fmt: skip
    own = module()
    trainer.validate(own, ImageData(), verbose=False)
    assert re.search(r"1/1 .* validation", screen.getvalue())


def test_an_error_leaves_the_terminal_as_it_was(tmp_path, screen):
    class Break(L.Callback):
        def on_train_batch_end(self, trainer, *args):
            raise RuntimeError("broken")

    bar = RunProgress()
    with pytest.raises(RuntimeError, match="broken"):
        fit(tmp_path, bar, callbacks=[bar, Break()])
    assert bar._bar is None
    assert screen.getvalue().count("\x1b[?25h") == screen.getvalue().count("\x1b[?25l")  # the cursor is back
    assert rich.get_console() is not None
