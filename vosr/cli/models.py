"""``models``: the models there are, with what they need and where it lies."""

import math
import re
from collections.abc import Iterator
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace
from safetensors import safe_open

from vosr.checkpoints.catalogue import RELEASES, REPO, SHIPPED, shipped_names
from vosr.checkpoints.find import local_names, spelled
from vosr.core.console import PlainConsole, labelled
from vosr.core.weights import Weights, weights_folder


def add_arguments(parser: ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="Folder of run folders to look in.")


def run(options: Namespace) -> int:
    """List shipped models, those on this machine, and released ones."""
    console = PlainConsole()
    console.print(labelled("Shipped", 0, f" in {SHIPPED}, Apache-2.0"))
    for name in shipped_names():
        console.print(f"  {name}   {_size(SHIPPED / name)}")
    console.print(labelled("\nOn this machine", 0, f" in {weights_folder()} and {options.runs}"))
    for line in (*_in_weights(), *_in_runs(options.runs)):
        console.print(f"  {line}")
    page = f"https://huggingface.co/{REPO}"
    console.print(labelled("\nReleased", 0, f" at {page}, Apache-2.0 by its authors"))
    for release in RELEASES.values():
        console.print(f"  {release.name}   {release.kind}, {release.parameters / 1e6:.0f} M parameters")
        for part, weights in release.parts().items():
            console.print(f"    {part:14}{_where(weights)}")
    console.print(
        "\npython main.py download NAME fetches what a released model lacks; --model NAME opens it."
    )
    return 0


def _in_weights() -> Iterator[str]:
    for name in local_names():
        if name not in RELEASES:
            folder = weights_folder() / name
            yield f"{name}   {_size(folder)}{_licence(folder)}"


def _in_runs(runs: Path) -> Iterator[str]:
    for config in sorted(runs.glob("*/[0-9]*/model/config.json")):
        yield f"{spelled(config.parent.parent)}   {_size(config.parent)}"


def _size(folder: Path) -> str:
    """Parameters of the backbone and bytes of all files."""
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    weights = folder / "model.safetensors"
    if not weights.is_file():
        return f"{total:.1f} MB"
    with safe_open(weights, "np") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118  (no mapping)
    count = sum(map(math.prod, shapes))
    return f"{count / 1e6:.1f} M parameters, {total:.1f} MB"


def _licence(folder: Path) -> str:
    """The card of a model folder."""
    card = folder / "README.md"
    found = re.search(r"^license: *(\S+)", card.read_text(errors="replace"), re.M) if card.is_file() else None
    return f", {found[1]}" if found else ""


def _where(weights: Weights) -> str:
    licence = f", {weights.licence}" if weights.licence else ""
    path = weights.here()
    if path is None:
        return f"not here{licence}: {weights.file} of {weights.repo}"
    return f"{path} ({path.stat().st_size / 1e6:.1f} MB{licence})"
