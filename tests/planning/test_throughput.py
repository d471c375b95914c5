"""Speed, memory and gradient norm as they are logged, against what a run really does."""

import csv
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from types import SimpleNamespace

import lightning as L
import pytest
import torch
from doubles import Dim, ImageData, MeanEncoder, ShuffleAutoencoder
from lightning.pytorch.loggers import CSVLogger

from vosr.backbones import LightningDiT
from vosr.guidance import RestorationGuidance
from vosr.model import Sampling
from vosr.objectives import FlowMatching
from vosr.planning import find_device
from vosr.planning.throughput import PHASES, Throughput
from vosr.planning.trace import trace_step
from vosr.training import TeacherModule


class Clock:
    """Stands still but for what :meth:`sleep` adds, and a millisecond each time it is read."""

    def __init__(self):
        self.seconds = 0.0

    def sleep(self, seconds):
        self.seconds += seconds

    def perf_counter(self):
        self.seconds += 0.001
        return self.seconds


CLOCK = Clock()


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr("vosr.core.phases.time", CLOCK)


class SlowDim(Dim):
    def apply(self, hq, params):
        CLOCK.sleep(0.05)
        return super().apply(hq, params)


class SlowEncoder(MeanEncoder):
    def forward(self, image):
        CLOCK.sleep(0.03 if torch.is_tensor(image) and type(image) is torch.Tensor else 0)
        return super().forward(image)


class SlowData(ImageData):
    def on_after_batch_transfer(self, batch, dataloader_idx):
        if self.trainer.training:
            CLOCK.sleep(0.04)
        return batch


def module(**overrides):
    options = {
        "autoencoder": ShuffleAutoencoder(),
        "encoder": SlowEncoder(),
        "backbone": lambda c, z: LightningDiT(c, z, width=32, depth=1, heads=2, latent_grid=8),
        "guidance": RestorationGuidance(),
        "objective": FlowMatching(),
        "degradation": SlowDim(),
        "sampling": Sampling(steps=1),
    }
    return TeacherModule(**(options | overrides))


def logged(folder, model=None, callbacks=(), data=None, **options):
    """Rows of the metrics that a run logs, those without speed left out."""
    trainer = L.Trainer(
        **{
            "max_steps": 6, "log_every_n_steps": 3, "accelerator": "cpu", "logger": CSVLogger(folder, name="m"),
            "callbacks": [Throughput(), *callbacks], "enable_progress_bar": False, "enable_checkpointing": False,
            "enable_model_summary": False, "num_sanity_val_steps": 0, "limit_val_batches": 0, **options,
        }
    )  # fmt: skip
    trainer.fit(model or module(), data or SlowData(count=64))
    with (folder / "m/version_0/metrics.csv").open() as file:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    return [row for row in rows if "speed/images_per_second" in row]


def test_time_is_split_by_phase(tmp_path):
    rows = logged(tmp_path)
    assert [row["step"] for row in rows] == [2, 5]
    row = rows[1]
    for phase, least in (("degradation", 0.05), ("encode", 0.03), ("data", 0.04)):
        assert least < row[f"time/{phase}"] < least + 0.005, phase
    assert all(row[f"time/{phase}"] > 0 for phase in PHASES)
    assert row["time/step"] == pytest.approx(sum(row[f"time/{phase}"] for phase in PHASES), rel=1e-5)
    assert row["speed/images_per_second"] == pytest.approx(4 / row["time/step"], rel=1e-5)


def test_accumulated_batches_are_one_step(tmp_path):
    row = logged(tmp_path, accumulate_grad_batches=2, log_every_n_steps=2, max_steps=4)[1]
    assert row["step"] == 3
    assert row["time/degradation"] >= 2 * 0.05
    assert row["speed/images_per_second"] == pytest.approx(2 * 4 / row["time/step"], rel=1e-5)


def test_operations_are_those_of_the_plan(tmp_path):
    row = logged(tmp_path)[0]
    planned = trace_step(module(), 4, 16, "32-true").flops.total()
    assert row["speed/tflops"] == pytest.approx(planned / 4 * row["speed/images_per_second"] / 1e12, rel=1e-5)
    assert "speed/utilisation" not in row  # no public figure for this processor


def test_validation_and_checkpoints_are_left_out(tmp_path):
    class SlowValidation(L.Callback):
        def on_validation_batch_end(self, *args, **kwargs):
            CLOCK.sleep(0.5)

        def on_save_checkpoint(self, *args):
            CLOCK.sleep(0.5)

    class Save(L.Callback):
        def on_train_batch_end(self, trainer, *args):
            trainer.save_checkpoint(tmp_path / "x.ckpt")

    rows = logged(
        tmp_path,
        callbacks=[SlowValidation(), Save()],
        limit_val_batches=1,
        val_check_interval=1,
        max_steps=3,
        log_every_n_steps=3,
    )
    assert rows[0]["time/step"] < 0.05 + 0.03 + 0.04 + 0.02


def test_gradient_norm_is_the_one_before_clipping(tmp_path):
    norms = []

    class Seen(L.Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            squares = [p.grad.square().sum() for p in pl_module.backbone.parameters() if p.grad is not None]
            norms.append(float(torch.stack(squares).sum().sqrt()))

    rows = logged(tmp_path, callbacks=[Seen()], gradient_clip_val=1e-6)
    assert [row["gradient_norm"] for row in rows] == pytest.approx([norms[2], norms[5]], rel=1e-5)
    assert norms[2] > 1e-3


class Allocate(L.Callback):
    def on_train_batch_end(self, trainer, *args):
        if trainer.global_step == 5:
            torch.ones(400 * 2**18)  # 400 MiB, freed at once


def peaks(folder):
    return [row["memory/peak"] for row in logged(folder, callbacks=[Allocate()])]


def test_peak_memory_sees_what_was_allocated(tmp_path):
    # a process of its own: this one may have held more before
    with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as process:
        before, after = process.submit(peaks, tmp_path).result()
    assert after - before == pytest.approx(400 / 1024, abs=0.15)


def test_ranks_give_the_mean_of_times_and_the_largest_memory(monkeypatch):
    """This rank's figures beside those of a second one that is three times as slow and holds twice as much."""

    def reduce(tensor, reduce_op):
        if reduce_op == "max":
            return torch.maximum(tensor, 2 * tensor)
        factor = torch.tensor([3.0] * len(PHASES) + [1.0])
        return (tensor + tensor * factor) / 2

    callback, own = Throughput(), module()
    callback._images, callback._flops = 8, 5e12
    monkeypatch.setattr("vosr.planning.throughput.peak_memory", lambda device: 3 * 2**30)
    trainer = SimpleNamespace(strategy=SimpleNamespace(reduce=reduce), world_size=2, precision="bf16-mixed")
    seconds = {"data": 1.0, "forward": 3.0}
    figures = callback._figures(trainer, own, seconds, steps=2)
    assert figures["time/data"] == 1.0  # half a second here, three halves there
    assert figures["time/forward"] == 3.0
    assert figures["time/step"] == 4.0
    assert figures["speed/images_per_second"] == 2.0  # 8 of a step of both, in 4 s
    assert figures["speed/tflops"] == 5.0
    assert figures["memory/peak"] == 6.0


def test_utilisation_is_the_share_of_a_known_peak(monkeypatch):
    callback = Throughput()
    callback._flops = 100e12
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100 80GB HBM3")
    figures = callback._computation(4.0, torch.device("cuda"), "bf16-mixed")
    assert figures == {"speed/tflops": 400.0, "speed/utilisation": 400e12 / find_device("h100").bf16}
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H999")
    assert callback._computation(4.0, torch.device("cuda"), "bf16-mixed") == {"speed/tflops": 400.0}


def test_a_component_that_cannot_be_counted_does_not_stop_training(tmp_path, caplog):
    class Peeking(MeanEncoder):
        def forward(self, image):
            image.sum().numpy()  # tensors without memory have no values
            return super().forward(image)

    rows = logged(tmp_path, module(encoder=Peeking()))
    assert len(rows) == 2
    assert "speed/tflops" not in rows[0]
    assert "speed/tflops is not logged" in caplog.text
