"""How much faster training steps get on latents and tokens that ``precompute`` has stored.

    python benchmarks/precomputed.py --config configs/teacher.yaml
    python benchmarks/precomputed.py --config configs/teacher.yaml --model.encoder=dinov2 \\
        --model.encoder.pretrained=false

Everything behind ``--steps`` is a training command as ``fit`` takes it. Both ways run in turn in one process, reading
included; CPU seconds, which hold beside other work.
"""

import argparse
import sys
import tempfile
import time
from itertools import chain, repeat
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from data_pipelines import ShardDataModule  # noqa: E402
from vosr.cli.names import expand_arguments  # noqa: E402
from vosr.cli.precompute import PrecomputeCLI, precompute  # noqa: E402
from vosr.core.phases import HostClock, Phases, clock_of  # noqa: E402
from vosr.training.randomness import StepRandom  # noqa: E402

PHASES = ("data", "degradation", "encode", "forward", "backward", "optimizer")


class CPUClock(HostClock):
    """Seconds of this process's threads."""

    def now(self) -> float:
        return time.process_time()


class Way:
    """One way to train: its data and the CPU seconds of its steps by phase."""

    def __init__(self, cli: PrecomputeCLI, data: ShardDataModule, steps: int) -> None:
        self.cli, self.data = cli, data
        self.batches = chain.from_iterable(repeat(data.train_dataloader()))
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self.losses: list[float] = []
        self.optimizer = cli.model.optimizer(cli.model.backbone.parameters())
        self.steps = steps

    def step(self, counted: bool) -> None:
        """Train on the next batch; the learning rate is 0, so that both ways see the same weights."""
        module, phases = self.cli.model, Phases()
        module.phases = phases
        phases.start(CPUClock() if module.device.type == "cpu" else clock_of(module.device))
        with phases("data"):
            batch = self.data.on_after_batch_transfer(next(self.batches).to(module.device), 0)
        random = StepRandom(module.seed, len(self.losses), batch.key, module.device)
        hq = batch.hq.float() / 255
        with self.cli.trainer.precision_plugin.forward_context():
            frozen = module.frozen_inputs(batch, hq, random)
            with phases("forward"):
                loss = module.loss_of(hq, frozen, random).total
        with phases("backward"):
            loss.backward()
        with phases("optimizer"):
            self.optimizer.step()
            self.optimizer.zero_grad()
        self.losses.append(float(loss.detach()))
        for name, value in phases.take().items() if counted else ():
            self.seconds[name] += value / self.steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=4)
    options, training = parser.parse_known_args()
    own = ["--model.optimizer.lr=0", "--data.num_workers=0", f"--data.batches_per_epoch={options.steps + 1}"]
    with tempfile.TemporaryDirectory() as folder:
        cli = PrecomputeCLI(expand_arguments(["fit", *training, *own, "-o", folder]))
        cli.model.trainer = cli.trainer
        cli.model.configure_model()
        precompute(cli.model, cli.datamodule, cli.trainer, Path(folder))
        stored = ShardDataModule(folder, batch_size=cli.datamodule.batch_size, num_workers=0)
        ways = {
            "images": Way(cli, cli.datamodule, options.steps),
            "precomputed": Way(cli, stored, options.steps),
        }
        for number in range(options.steps + 1):
            for way in ways.values():
                way.step(counted=number > 0)
        megabytes = sum(path.stat().st_size for path in Path(folder).glob("*.tar")) / 1e6
    images, latents = ways.values()
    assert images.losses == latents.losses, (images.losses, latents.losses)
    totals = [sum(way.seconds.values()) for way in ways.values()]
    count = (options.steps + 1) * (cli.datamodule.batch_size or 1)
    table = Table(
        "CPU seconds of a step",
        *ways,
        title=f"{megabytes / count * 1e3:.0f} kB an image; the same losses",
        title_justify="left",
    )
    for phase in PHASES:
        table.add_row(phase, *(f"{way.seconds[phase]:.3f}" for way in ways.values()))
    table.add_row("all", *(f"{total:.3f}" for total in totals))
    table.add_row("times faster", "", f"{totals[0] / totals[1]:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
