"""How long restoring takes, by stage: steps, sizes, batches, and the start of a fresh process.

    python benchmarks/sample.py --size small --sides 512 --device cpu
    python benchmarks/sample.py --size 0.5b 1.4b --sides 512 2048 --batch 1 8 --steps 1 10 25 --dtype float16

Weights are random; one step is a student's, more are a guided teacher's. The cold start is a process that imports
vosr, opens the shipped student and restores one small image.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from sizes import SIZES, model_of  # noqa: E402

from vosr.core.phases import clock_of  # noqa: E402
from vosr.inference import Precision, Restorer, Settings  # noqa: E402

STAGES = ("encode", "semantics", "backbone", "decode", "colour")
START = """
import numpy
from vosr import Restorer
Restorer.from_pretrained("vosr_small_student", "{device}")(numpy.zeros((32, 32, 3), numpy.uint8))
"""


def stages(restorer: Restorer, side: int, batch: int, settings: Settings, runs: int) -> dict[str, float]:
    """Median seconds of each stage."""
    images = list(np.random.default_rng(0).integers(0, 256, (batch, side // 4, side // 4, 3), np.uint8))
    seconds: dict[str, list[float]] = defaultdict(list)
    engine = restorer.engine
    for i in range(runs + 1):
        engine.phases.start(clock_of(engine.device))
        restorer.restore_batch(images, replace(settings, size=(side, side), seed=0))
        if i:  # the first run warms up
            for stage, value in engine.phases.take().items():
                seconds[stage].append(value)
    return {stage: statistics.median(seconds[stage]) for stage in STAGES}


def cold_start(device: str) -> float:
    """Seconds of a fresh process up to its first image."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", START.format(device=device)], cwd=ROOT, check=True, capture_output=True
    )
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", nargs="+", default=["small"], choices=SIZES)
    parser.add_argument("--sides", type=int, nargs="+", default=[512])
    parser.add_argument("--batch", type=int, nargs="+", default=[1])
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 10, 25])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default="auto", help="of backbone and encoder")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    device = torch.cuda.get_device_name() if options.device.startswith("cuda") else "CPU"
    title = f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}, {options.dtype}"
    table = Table("model", "side", "batch", "steps", *STAGES, "seconds an image", title=title)
    for name in options.size:
        for kind in ("student", "teacher"):
            steps = [n for n in options.steps if (n == 1) == (kind == "student")]
            if not steps:
                continue
            model = model_of(SIZES[name], kind)
            restorer = Restorer(model, options.device, Precision(options.dtype), options.compile)
            for side in options.sides:
                for batch in options.batch:
                    for count in steps:
                        found = stages(restorer, side, batch, Settings(steps=count), options.runs)
                        values = [*found.values(), sum(found.values()) / batch]
                        table.add_row(name, *map(str, (side, batch, count)), *(f"{v:.3f}" for v in values))
    Console().print(table)
    Console().print(f"Cold start to the first image: {cold_start(options.device):.1f} s")


if __name__ == "__main__":
    main()
