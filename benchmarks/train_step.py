"""Where a training step's time goes, how fast it is, and how near the device's own matrix products.

    python benchmarks/train_step.py --size small --objective rcgm --device cpu
    python benchmarks/train_step.py --size 0.5b 1.4b --objective flow_matching rcgm --precision bf16-mixed --compile

The step is the training module's own: degradation, frozen parts, objective, clipping, fused AdamW, average. Weights
are random. ``--sync_check`` lets CUDA refuse whatever makes the host wait within a step.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from sizes import SIZES, Size, conditioner_parts, matmul_peak, model_of  # noqa: E402

from vosr.backbones import LightningDiT  # noqa: E402
from vosr.checkpoints import save_model  # noqa: E402
from vosr.core.phases import clock_of  # noqa: E402
from vosr.core.types import Batch  # noqa: E402
from vosr.degradations import DEGRADATIONS  # noqa: E402
from vosr.guidance import RestorationGuidance  # noqa: E402
from vosr.objectives import OBJECTIVES  # noqa: E402
from vosr.planning.throughput import peak_memory  # noqa: E402
from vosr.planning.trace import trace_step  # noqa: E402
from vosr.training import DistillationModule, TeacherModule  # noqa: E402
from vosr.training.base import paper_optimizer  # noqa: E402
from vosr.training.ema import update_average  # noqa: E402
from vosr.training.guarded_step import gradient_norm, guard_step  # noqa: E402
from vosr.training.parallel import Parallelism  # noqa: E402
from vosr.training.randomness import StepRandom  # noqa: E402
from vosr.training.restoration import RestorationModule  # noqa: E402

PHASES = ("data", "degradation", "encode", "forward", "backward", "optimizer", "average")


def module_of(size: Size, objective: str, parallel: Parallelism) -> RestorationModule:
    """The training module that a config of this size makes."""
    rest = {"objective": OBJECTIVES.build(objective), "degradation": DEGRADATIONS.build("real_esrgan"),
            "guidance": RestorationGuidance(), "parallel": parallel}  # fmt: skip
    if objective == "flow_matching":
        parts = conditioner_parts(size)
        return TeacherModule(**parts, backbone=lambda c, z: LightningDiT(c, z, **size.backbone), **rest)
    with tempfile.TemporaryDirectory() as folder:
        save_model(model_of(size, "teacher"), Path(folder))
        module = DistillationModule(Path(folder), **rest)
        module.teacher.float()  # nothing stays mapped
        return module


class Step:
    """One training step, phase by phase."""

    def __init__(self, module: RestorationModule, size: Size, device: torch.device, precision: str) -> None:
        module.configure_model()
        self.module, self.device, self.taken = module.to(device).train(), device, 0
        self.optimizer = paper_optimizer(module.backbone.parameters())
        self.images = torch.randint(0, 256, (size.batch, 3, size.crop, size.crop), dtype=torch.uint8)
        self.keys = [str(i) for i in range(size.batch)]
        self.mixed = precision == "bf16-mixed"

    def __call__(self) -> None:
        module, phases, self.taken = self.module, self.module.phases, self.taken + 1
        random = StepRandom(0, self.taken, self.keys, self.device)
        autocast = torch.autocast(self.device.type, torch.bfloat16) if self.mixed else nullcontext()
        with phases("data"):
            batch = Batch(self.images, None, self.keys).to(self.device, non_blocking=True)
            hq = batch.hq.float() / 255
        with autocast:
            frozen = module.frozen_inputs(batch, hq, random)
            with phases("forward"):
                loss = module.loss_of(hq, frozen, random).total
        with phases("backward"):
            loss.backward()
        with phases("optimizer"):
            norm = gradient_norm(module.backbone.parameters())
            guard_step(self.optimizer, 1.0, norm, norm.isfinite())
            self.optimizer.step()
            self.optimizer.zero_grad()
        with phases("average"):
            update_average(module.average, module.backbone, 0.9999, self.taken, norm.isfinite())


def measure(options: argparse.Namespace, name: str, objective: str) -> dict[str, float]:
    """Mean seconds by phase, and the figures of the table."""
    size, device = SIZES[name], torch.device(options.device)
    size = replace(size, batch=options.batch or size.batch, crop=options.crop or size.crop)
    module = module_of(size, objective, Parallelism(compile=options.compile))
    flops = trace_step(module, size.batch, size.crop, options.precision).flops.total()
    step = Step(module, size, device, options.precision)
    for _ in range(options.warm):
        step()
    peak_memory(device)
    module.phases.start(clock_of(device))
    if options.sync_check:
        torch.cuda.set_sync_debug_mode("error")
    for _ in range(options.steps):
        step()
    if options.sync_check:
        torch.cuda.set_sync_debug_mode("default")
    seconds = defaultdict(float, {k: v / options.steps for k, v in module.phases.take().items()})
    total = sum(seconds.values())
    dtype = torch.bfloat16 if options.precision == "bf16-mixed" else torch.float32
    return {
        **{phase: seconds[phase] for phase in PHASES},
        "step (s)": total,
        "images/s": size.batch / total,
        "TFLOP/s": flops / total / 1e12,
        "of matmul peak": flops / total / matmul_peak(device, dtype),
        "peak memory (GiB)": peak_memory(device) / 2**30,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", nargs="+", default=["small"], choices=SIZES)
    parser.add_argument("--objective", nargs="+", default=["flow_matching", "rcgm", "shortcut"])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", default="bf16-mixed", choices=["32-true", "bf16-mixed"])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warm", type=int, default=2)
    parser.add_argument("--batch", type=int, help="instead of the size's own")
    parser.add_argument("--crop", type=int, help="pixels, instead of the size's own")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--sync_check", action="store_true")
    options = parser.parse_args()
    device = torch.cuda.get_device_name() if options.device.startswith("cuda") else "CPU"
    title = f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}, {options.precision}"
    table = Table("", title=title)
    columns = []
    for name in options.size:
        for objective in options.objective:
            table.add_column(f"{name} {objective}", justify="right")
            columns.append(measure(options, name, objective))
    for row in columns[0]:
        table.add_row(row, *(f"{column[row]:.3f}" for column in columns))
    Console().print(table)


if __name__ == "__main__":
    main()
