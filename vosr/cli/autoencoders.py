"""``evaluate --autoencoder``: what autoencoders lose, what their latents are like, and what they cost."""

from pathlib import Path

import torch
from jsonargparse import Namespace
from rich.table import Table
from torch import Tensor

from vosr.core.console import PlainConsole
from vosr.core.devices import pick_device
from vosr.core.files.atomic import write_atomically
from vosr.evaluation.autoencoders import (
    QUALITY,
    AutoencoderFigures,
    figures_json,
    measure_autoencoder,
    open_autoencoder,
)
from vosr.evaluation.protocols import open_benchmarks
from vosr.metrics import METRICS

FILE = "autoencoders"


def compare_autoencoders(options: Namespace) -> int:
    """Measure each autoencoder on the benchmarks' clean images; table, Markdown and JSON; status 0."""
    if options.model:
        raise ValueError("Give --model or --autoencoder, not both: they are measured differently.")
    images = clean_images(options.data, options.crop)
    device = pick_device(options.device)
    console = PlainConsole(stderr=True)
    figures = []
    for name in options.autoencoder:
        console.print(f"Measuring {name} on {len(images)} images of {options.crop} px")
        autoencoder, missing = open_autoencoder(name)
        figures.append(measure_autoencoder(name, autoencoder, missing, images, device))
    rows = [_row(one) for one in figures]
    table = Table(*HEADINGS, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    PlainConsole().print(table)
    notes = [f"{one.name}: costs of random weights. {one.missing}" for one in figures if one.missing]
    for note in notes:
        PlainConsole().print(f"Note: {note}")
    _write(options.output, figures, rows, notes, f"{len(images)} images of {options.crop} px, {device}")
    return 0


def clean_images(data: list[str], side: int) -> list[Tensor]:
    """The middle of each different clean image of the benchmarks, (3, side, side), 8 bits.

    Raises:
        ValueError: a side below 16, or no clean image of that size.
    """
    if side < 16:
        raise ValueError(f"--crop must be at least 16, not {side}.")
    found: dict[bytes, Tensor] = {}
    for benchmark in open_benchmarks(data):
        for key in benchmark.names():
            hq = benchmark.load(key).hq
            if hq is None or min(hq.shape[:2]) < side:
                continue
            top, left = ((length - side) // 2 for length in hq.shape[:2])
            pixels = hq[top : top + side, left : left + side]
            found.setdefault(pixels.tobytes(), torch.from_numpy(pixels.copy()).permute(2, 0, 1))
    if not found:
        raise ValueError(f"{', '.join(data)} has no clean images of {side} px; give a smaller --crop.")
    return list(found.values())


HEADINGS = (
    "autoencoder",
    "factor",
    "channels",
    "compression",
    *(METRICS.get(name).title for name in QUALITY),
    "latent std",
    "high freq.",
    "equivariance",
    "encode",
    "decode",
    "memory",
)


def _row(one: AutoencoderFigures) -> list[str]:
    known = one.missing is None
    quality = [
        f"{one.quality[name]:.{METRICS.get(name).digits}f}" if known else "missing" for name in QUALITY
    ]
    memory = [value for value in (one.encode_mib, one.decode_mib) if value is not None]
    return [
        one.name,
        str(one.factor),
        str(one.channels),
        f"{one.compression:.3g}",
        *quality,
        f"{min(one.stds):.2f} to {max(one.stds):.2f}" if known else "",
        f"{sum(one.spectrum[len(one.spectrum) // 2 :]):.0%}" if known else "",
        "" if one.equivariance is None else f"{one.equivariance:.3f}",
        f"{one.encode_seconds:.3g} s",
        f"{one.decode_seconds:.3g} s",
        f"{max(memory):.0f} MiB" if memory else "",
    ]


def _write(
    folder: Path, figures: list[AutoencoderFigures], rows: list[list[str]], notes: list[str], protocol: str
) -> None:
    if folder.is_file():
        raise ValueError(f"{folder} is a file; give a folder for the report.")
    folder.mkdir(parents=True, exist_ok=True)
    lines = [_line(list(HEADINGS)), _line(["---"] * len(HEADINGS)), *map(_line, rows), "", *notes]
    text = "\n".join([f"# Autoencoders: {protocol}", "", *lines]).rstrip() + "\n"
    write_atomically(folder / f"{FILE}.md", lambda path: path.write_text(text))
    write_atomically(folder / f"{FILE}.json", lambda path: path.write_text(figures_json(figures)))
    PlainConsole().print(f"Report: {folder / FILE}.md (also {FILE}.json with means, stds and spectra)")


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
