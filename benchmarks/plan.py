"""Planned against measured: operations and peak memory of a real training step on this machine's CPU.

Run as ``python benchmarks/plan.py --config … [any option of fit]``. Operations are counted by torch's own counter
while the trainer takes a step; memory is the growth of the process's resident set from before the model is built to
the peak of the third step, with an allocator that returns what is freed (its settings are given to a process of its
own). ``--json`` prints one line of JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import lightning as L
import torch
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import (
    FlopCounterMode,
    register_flop_formula,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

from vosr.cli.names import expand_arguments
from vosr.cli.plan import PlanCLI
from vosr.cli.plan_job import job_of
from vosr.cli.training import TrainingCLI
from vosr.planning import Planner, find_device

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "2"}
SHORT = (
    "--trainer.max_steps=4", "--trainer.logger=false", "--trainer.enable_progress_bar=false",
    "--trainer.limit_val_batches=0", "--trainer.enable_checkpointing=true", "--trainer.accelerator=cpu",
    "--trainer.devices=1", "--trainer.enable_model_summary=false",
)  # fmt: skip


def resident(name: str) -> int:
    """Bytes of VmRSS or VmHWM."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


class Measure(L.Callback):
    """Peak resident set of one step, and the operations of another."""

    def __init__(self) -> None:
        self.taken = -1
        self.peak = 0
        self.flops = 0
        self.counter = FlopCounterMode(display=False)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.taken += 1
        if self.taken == 2:
            Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
        if self.taken == 3:
            self.counter.__enter__()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if self.taken == 2:
            self.peak = resident("VmHWM")
        if self.taken == 3:
            self.counter.__exit__(None, None, None)
            self.flops = self.counter.get_total_flops()


class MeasureCLI(TrainingCLI):
    def instantiate_classes(self):
        load_libraries()
        self.measure, self.before = Measure(), resident("VmRSS")
        super().instantiate_classes()

    def instantiate_trainer(self, **kwargs):
        trainer = super().instantiate_trainer(**kwargs)
        trainer.callbacks = [self.measure, *[c for c in trainer.callbacks if type(c).__name__ == "EMA"]]
        return trainer

    def after_fit(self):
        pass


def load_libraries() -> None:
    """What a first training step on the CPU loads and sets up once, so that it is not taken for the model's."""
    for dtype in (torch.float32, torch.bfloat16):
        layer = torch.nn.Linear(256, 256)
        optimizer = torch.optim.AdamW(layer.parameters())
        with torch.autocast("cpu", dtype, enabled=dtype is torch.bfloat16):
            x = layer(torch.rand(1, 4, 256, 256))
            loss = torch.nn.functional.scaled_dot_product_attention(x, x, x).square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
        optimizer.step()


def measure(arguments: list[str]) -> dict[str, int | str]:
    aten = torch.ops.aten
    register_flop_formula(aten._scaled_dot_product_flash_attention_for_cpu)(
        lambda q, k, v, *_, out_shape=None, **__: sdpa_flop_count(q, k, v)
    )
    register_flop_formula(aten._scaled_dot_product_flash_attention_for_cpu_backward)(
        lambda g, q, k, v, *_, out_shape=None, **__: sdpa_backward_flop_count(g, q, k, v)
    )
    with tempfile.TemporaryDirectory() as runs:
        cli = MeasureCLI(expand_arguments(["fit", *arguments, *SHORT, f"--runs={runs}"]))
    return {
        "flops": cli.measure.flops,
        "memory": cli.measure.peak - cli.before,
        "precision": cli.trainer.precision,
    }


def predict(arguments: list[str]) -> dict[str, int]:
    cli = PlanCLI(expand_arguments(["fit", *arguments, "--device=cpu", "--devices=1"]))
    plan = Planner(cli.model, 1.0).plan(
        job_of(cli.config.fit, cli.model.card.training_size), find_device("cpu")
    )
    return {"flops": sum(plan.flops.values()), "memory": plan.total_memory, "kinds": plan.memory}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure-only", action="store_true", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args()
    if options.measure_only:
        print("MEASURED", json.dumps(measure(rest)))
        return
    command = [sys.executable, __file__, "--measure-only", *rest]
    done = subprocess.run(command, env=os.environ | ALLOCATOR, stdout=subprocess.PIPE, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("MEASURED"))
    measured = json.loads(line.removeprefix("MEASURED"))
    planned = predict([*rest, f"--trainer.precision={measured['precision']}"])  # fit may have replaced mixed
    if options.json:
        print(json.dumps({"planned": planned, "measured": measured}))
        return
    table = Table("", "planned", "measured", "planned / measured", title=" ".join(rest), box=None)
    for name, unit in (("flops", 1e9), ("memory", 2**20)):
        ratio = f"{planned[name] / measured[name]:.4f}"
        table.add_row(
            f"{name} ({'G' if name == 'flops' else 'MiB'})",
            f"{planned[name] / unit:,.2f}", f"{measured[name] / unit:,.2f}", ratio,
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
