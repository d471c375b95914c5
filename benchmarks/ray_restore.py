"""Images per second of ``restore --engine ray`` with one worker and with two, on this machine.

    python benchmarks/ray_restore.py [--count 60] [--side 128] [--model vosr_small_student]

Counted from the first results, which come together, to the last, so that the start of Ray and of the models is left
out. Workers have one thread each.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from vosr.core.ray_cluster import RayCluster
from vosr.inference import Precision, Settings
from vosr.jobs.devices import Work
from vosr.jobs.files import Writing
from vosr.jobs.on_ray import restore_on_ray
from vosr.jobs.plan import JobPlan
from vosr.jobs.recipe import Recipe

TOGETHER = 0.2
"""Seconds within which the first results come."""


def images_per_second(options: argparse.Namespace, folder: Path, workers: int) -> float:
    plan = JobPlan((folder / "in",), folder / f"out_{workers}")
    work = Work(Recipe(options.model, Settings(seed=0), Precision()), plan, Writing())
    times = []
    cluster = RayCluster(workers=workers)
    restore_on_ray(work, cluster, "cpu", lambda event: times.append(time.monotonic()), lambda settings: None)
    later = [moment for moment in times if moment > times[0] + TOGETHER]
    return len(later) / (times[-1] - times[0])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--side", type=int, default=128, help="Of the inputs.")
    parser.add_argument("--model", default="vosr_small_student")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        values = np.random.default_rng(0).integers(
            0, 256, (options.count, options.side, options.side, 3), np.uint8
        )
        for number, image in enumerate(values):
            Image.fromarray(image).save(folder / "in" / f"{number:04}.png")
        for workers in (1, 2):
            print(f"{workers} worker(s): {images_per_second(options, folder, workers):.2f} images/s")


if __name__ == "__main__":
    main()
