"""Time, peak memory, tiles against the whole image, and dtypes of restoring.

    python benchmarks/restore.py [--model vosr_small_student] [--sides 512 1024 2048 4096 8192] [--memory 0.5]
        [--device cpu] [--runs 3]

Every size runs in a process of its own, whose peak of resident memory (CPU) or allocated memory (CUDA) is reported;
the strips of the result are counted, not kept.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table


def photograph(side: int) -> np.ndarray:
    """A photograph from scikit-image, repeated and cut to side x side."""
    from skimage import data

    tile = np.asarray(Image.fromarray(data.astronaut()).resize((512, 512)))
    count = -(-side // 512)
    return np.ascontiguousarray(np.tile(tile, (count, count, 1))[:side, :side])


def measure(options: argparse.Namespace, side: int) -> None:
    """One size: prints seconds and peak bytes."""
    import torch

    from vosr import Restorer
    from vosr.inference import Settings

    restorer = Restorer.from_pretrained(options.model, options.device, options.dtype)
    image = photograph(side // restorer.model.card.scale)
    started = time.perf_counter()
    rows = sum(
        len(strip)
        for strip in restorer.restore_rows(image, Settings(memory=options.memory, size=(side, side), seed=0))
    )
    seconds = time.perf_counter() - started
    assert rows == side
    if restorer.engine.device.type == "cuda":
        peak = torch.cuda.max_memory_allocated()
    else:
        status = Path("/proc/self/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        peak = int(found.group(1)) * 1024 if found else 0
    Console().print_json(json.dumps({"seconds": seconds, "peak": peak}))


def sizes(options: argparse.Namespace) -> None:
    table = Table("output", "seconds (median)", "megapixels/s", "peak memory (GiB)")
    for side in options.sides:
        runs = []
        for _ in range(options.runs):
            arguments = [sys.executable, __file__, "--one", str(side), "--model", options.model]
            arguments += [
                "--device",
                options.device,
                "--memory",
                str(options.memory),
                "--dtype",
                options.dtype,
            ]
            result = subprocess.run(arguments, capture_output=True, text=True, check=True)
            runs.append(json.loads(result.stdout))
        seconds = statistics.median(run["seconds"] for run in runs)
        peak = max(run["peak"] for run in runs)
        table.add_row(
            f"{side} x {side}", f"{seconds:.1f}", f"{side**2 / 1e6 / seconds:.2f}", f"{peak / 2**30:.2f}"
        )
    Console().print(table)


def differences(options: argparse.Namespace) -> None:
    """Tiles against the whole, and half precision against float32, on photographs of 512 px output."""
    from skimage import data

    from vosr import Restorer

    names = ("astronaut", "coffee", "chelsea")
    images = [np.ascontiguousarray(getattr(data, name)()[100:228, 100:228]) for name in names]
    full = Restorer.from_pretrained(options.model, options.device, "float32")
    reference = full(images, scale=4, tile=0)
    table = Table("against float32, whole image", "PSNR (dB)", "mean |difference| / 255", "largest")
    for title, dtype, tile in (
        ("tiles of the training size", "float32", None),
        ("bfloat16", "bfloat16", 0),
        ("float16", "float16", 0),
    ):
        other = Restorer.from_pretrained(options.model, options.device, dtype)(images, scale=4, tile=tile)
        error = np.concatenate([(a.astype(float) - b).ravel() for a, b in zip(reference, other)])
        psnr = 10 * np.log10(255**2 / (error**2).mean())
        table.add_row(title, f"{psnr:.1f}", f"{np.abs(error).mean():.2f}", f"{np.abs(error).max():.0f}")
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="vosr_small_student")
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 1024, 2048, 4096])
    parser.add_argument("--memory", type=float, default=0.5, help="GiB that the engine plans with")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(options, options.one)
    else:
        differences(options)
        sizes(options)


if __name__ == "__main__":
    main()
