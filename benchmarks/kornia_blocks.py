"""Our building blocks beside kornia's of the same purpose: CPU time for one batch.

Run as ``python benchmarks/kornia_blocks.py``. Medians of process time on one thread after one round to warm up, so a
busy machine does not change them much. Kornia's ranges are set to ours.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import kornia
import kornia.augmentation as K
import torch
import yaml
from rich.console import Console
from rich.table import Table
from torch import nn

from vosr.core.registry import REGISTRIES
from vosr.degradations import DEGRADATIONS, Degradation

SHIPPED = Path(__file__).parents[1] / "configs" / "shipped" / "degradation.yaml"


def milliseconds(work: Callable[[], object], rounds: int) -> str:
    times = []
    for turn in range(rounds + 1):
        start = time.process_time()
        work()
        if turn:
            times.append(time.process_time() - start)
    return f"{1e3 * statistics.median(times):.0f}"


def shipped(record: dict | str) -> Degradation:
    """The degradation of a config, without the command line's parser."""
    if isinstance(record, str):
        return DEGRADATIONS.build(record)
    given = {
        name: [shipped(step) for step in value] if name == "steps" else value
        for name, value in record.get("init_args", {}).items()
    }
    return REGISTRIES["degradation"].build(record["class_path"], **given)


def pairs() -> list[tuple[str, Degradation, nn.Module | None]]:
    build = DEGRADATIONS.build
    noise = build("gaussian_noise", sigma=(10.0, 10.0))
    mixture = shipped(yaml.safe_load(SHIPPED.read_text())["model"]["init_args"]["degradation"])
    return [
        ("gaussian_blur", build("gaussian_blur", sigma=(0.5, 2.0)), K.RandomGaussianBlur((13, 13), (0.5, 2.0), p=1.0)),
        ("motion_blur", build("motion_blur"), K.RandomMotionBlur((3, 25), 90.0, 0.0, p=1.0)),
        ("gaussian_noise", noise, K.RandomGaussianNoise(std=10 / 255, p=1.0)),
        ("jpeg", build("jpeg", quality=(30.0, 95.0)), K.RandomJPEG((30.0, 95.0), p=1.0)),
        ("color_jitter", build("color_jitter"), K.ColorJiggle(0.2, 0.2, (0.6, 1.4), 10 / 360, p=1.0)),
        ("poisson_noise", build("poisson_noise"), None),
        ("low_resolution", build("low_resolution"), None),
        ("real_esrgan", build("real_esrgan"), None),
        (str(SHIPPED.relative_to(SHIPPED.parents[2])), mixture, None),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    hq = torch.rand(options.batch, 3, options.side, options.side, generator=torch.Generator().manual_seed(0))
    versions = f"torch {torch.__version__}, kornia {kornia.__version__}"
    table = Table("", "ours ms", "kornia's ms", title=f"{options.batch} x {options.side} px, {versions}")
    generator = torch.Generator().manual_seed(0)
    for name, ours, theirs in pairs():
        other = milliseconds(lambda t=theirs: t(hq), options.rounds) if theirs is not None else ""
        table.add_row(name, milliseconds(lambda o=ours: o(hq, generator), options.rounds), other)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
