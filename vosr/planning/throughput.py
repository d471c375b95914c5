"""Callback: how fast a run is, where its time goes, what memory it takes, and the gradient norm."""

import logging
import sys
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from vosr.core.phases import clock_of
from vosr.core.types import Batch
from vosr.planning.devices import GIB, TERA, reported_device
from vosr.planning.fake import fake_children
from vosr.planning.trace import trace_step
from vosr.training.base import TrainingModule
from vosr.training.batches import as_batch
from vosr.training.guarded_step import gradient_norm

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

PHASES = ("data", "degradation", "encode", "forward", "backward", "optimizer")


class Throughput(L.Callback):
    """Logs every ``log_every_n_steps`` optimizer steps; times and speeds are means of the interval and of all ranks.

    - ``time/<phase>`` and ``time/step``: seconds per optimizer step. Validation, checkpoints and this callback's own
      work are left out. On CUDA "data" is the time that the device waits for a batch.
    - ``speed/images_per_second``: per second, of all ranks together.
    - ``speed/tflops``: 10^12 operations per second and rank, counted as ``plan`` does, recomputation left out; and
      ``speed/utilisation``, their share of the device's peak where its data sheet is known.
    - ``memory/peak``: GiB of the fullest rank: CUDA's allocator since the last log, or the largest resident set.
    - ``gradient_norm``: of the logged step, before clipping.
    """

    def __init__(self) -> None:
        self._twin: TrainingModule | None = None
        self._flops: float | None = None
        self._logged = self._stepped = 0
        self._images = 0
        self._gradient_norm: Tensor | None = None

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Keep a copy of the module without memory, as it is before any strategy changes it."""
        assert isinstance(pl_module, TrainingModule)
        if stage == "fit" and trainer.is_global_zero:
            with FakeTensorMode():
                self._twin = fake_children(pl_module)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        self._logged = self._stepped = trainer.global_step
        pl_module.phases.start(clock_of(pl_module.device))
        pl_module.phases.begin("data")

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        _begin(pl_module, "forward")

    def on_before_backward(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor) -> None:
        _begin(pl_module, "backward")

    def on_after_backward(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        _begin(pl_module, "optimizer")

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        if trainer._logger_connector.should_update_logs:
            known = getattr(pl_module, "gradient_norm", None)
            self._gradient_norm = gradient_norm(pl_module.parameters()) if known is None else known

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, TrainingModule)
        batch = as_batch(batch)
        self._images += len(batch.hq)
        stepped = trainer.global_step > self._stepped  # not within gradient accumulation
        self._stepped = trainer.global_step
        if stepped and trainer._logger_connector.should_update_logs:
            pl_module.phases.begin(None)
            seconds = pl_module.phases.take()
            if self._twin is not None:
                self._flops = _flops_per_image(self._twin, batch, str(trainer.precision))
                self._twin = None
            steps = trainer.global_step - self._logged
            pl_module.log_dict(self._figures(trainer, pl_module, seconds, steps), batch_size=1)
            self._logged, self._images = trainer.global_step, 0
        pl_module.phases.begin("data")

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        _begin(pl_module, None)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        _begin(pl_module, "data")

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        _begin(pl_module, None)

    def _figures(
        self, trainer: L.Trainer, module: TrainingModule, seconds: dict[str, float], steps: int
    ) -> dict[str, float]:
        local = torch.tensor(
            [*(seconds.get(phase, 0.0) / steps for phase in PHASES), self._images / steps],
            dtype=torch.float32,
            device=module.device,
        )
        means = trainer.strategy.reduce(local, reduce_op="mean")
        peak = trainer.strategy.reduce(
            torch.tensor(peak_memory(module.device) / GIB, device=module.device), reduce_op="max"
        )
        *times, images = means.tolist()
        speed = images / sum(times)
        figures = {f"time/{phase}": value for phase, value in zip(PHASES, times)}
        figures |= {"time/step": sum(times), "speed/images_per_second": speed * trainer.world_size}
        if peak > 0:
            figures["memory/peak"] = float(peak)
        if self._gradient_norm is not None:
            figures["gradient_norm"] = float(self._gradient_norm)
        return figures | self._computation(speed, module.device, str(trainer.precision))

    def _computation(self, images: float, device: torch.device, precision: str) -> dict[str, float]:
        """Operations per second of a rank that trains on that many images per second."""
        if self._flops is None:
            return {}
        achieved = self._flops * images
        known = reported_device(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
        peak = None if known is None else known.peak(precision)
        figures = {"speed/tflops": achieved / TERA}
        return figures if peak is None else figures | {"speed/utilisation": achieved / peak}


def peak_memory(device: torch.device) -> int:
    """Bytes: CUDA's peak since the last call, or the process's largest resident set so far (0: Windows keeps none)."""
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        return peak
    if resource is None:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _begin(module: L.LightningModule, phase: str | None) -> None:
    assert isinstance(module, TrainingModule)
    module.phases.begin(phase)


def _flops_per_image(module: TrainingModule, batch: Batch, precision: str) -> float | None:
    count, size = len(batch.hq), batch.hq.shape[-1]
    try:
        return trace_step(module, count, size, precision).flops.total() / count
    except (
        Exception
    ) as error:  # a plug-in may do what tensors without memory cannot; training does not stop for it
        log.warning("speed/tflops is not logged: %s", error)
        return None
