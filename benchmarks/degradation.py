"""Speed of the degradation: per image against per batch, and against reading the same images.

Run as ``python benchmarks/degradation.py``. Times are medians of several rounds after one to warm up; every figure
of a row comes from this one run. Peak memory is what the degradation takes beyond its input: allocated on a GPU,
resident on the CPU (Linux only).
"""

import argparse
import ctypes
import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import kornia
import torch
from kornia_rs.io import ImageDecoder
from PIL import Image
from rich.console import Console
from rich.table import Table

from data_pipelines.synthetic import DeadLeaves
from vosr.degradations import DEGRADATIONS, Degradation


def median_seconds(work: Callable[[], object], rounds: int, device: torch.device) -> float:
    times = []
    for turn in range(rounds + 1):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if turn:
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak_megabytes(work: Callable[[], object], device: torch.device) -> str:
    if device.type != "cuda":
        return resident_megabytes(work)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    work()
    return f"{(torch.cuda.max_memory_allocated(device) - before) / 1e6:.0f}"


def resident_megabytes(work: Callable[[], object]) -> str:
    """Growth of the resident memory at its peak, by the kernel's own high-water mark."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not reset.exists():
        return "-"

    def now(field: str) -> int:
        return next(
            int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(field)
        )

    ctypes.CDLL(None).malloc_trim(0)  # else the work is done in memory that earlier rounds left behind
    before = now("VmRSS")
    reset.write_text("5")  # sets the mark to the present
    work()
    return f"{(now('VmHWM') - before) / 1e3:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, help="of torch; all by default")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    versions = f"torch {torch.__version__}, kornia {kornia.__version__}"
    title = f"real_esrgan on {name}, {torch.get_num_threads()} threads, {versions}"
    table = Table(
        "crop",
        "batch",
        "per image ms",
        "per batch ms",
        "ratio",
        "images/s",
        "peak MB",
        "read JPEG ms",
        title=title,
    )
    variants = [DEGRADATIONS.build("real_esrgan", per_image=each) for each in (True, False)]
    for side in options.sizes:
        for batch in options.batches:
            table.add_row(str(side), str(batch), *measure(variants, side, batch, options.rounds, device))
    Console(width=120).print(table)


def measure(
    variants: list[Degradation], side: int, batch: int, rounds: int, device: torch.device
) -> list[str]:
    """The figures of one row."""
    draw = DeadLeaves(side)
    images = [draw(i) for i in range(batch)]
    hq = torch.stack([torch.from_numpy(p).permute(2, 0, 1) for p in images]).float().div(255).to(device)
    generator = torch.Generator().manual_seed(0)
    each, shared = (median_seconds(lambda d=d: d(hq, generator), rounds, device) for d in variants)
    coded = [jpeg_bytes(Image.fromarray(image)) for image in images]
    decoder = ImageDecoder()
    reading = median_seconds(lambda: [decoder.decode(data) for data in coded], rounds, torch.device("cpu"))
    peak = peak_megabytes(lambda: variants[0](hq, generator), device)
    milliseconds = [f"{1e3 * t:.0f}" for t in (each, shared)]
    return [*milliseconds, f"{each / shared:.2f}", f"{batch / each:.0f}", peak, f"{1e3 * reading:.0f}"]


def jpeg_bytes(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
