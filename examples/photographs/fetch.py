"""Training photographs from Debian packages: fetch, cut into tiles with detail, pack into shards.

    python examples/photographs/fetch.py -o ~/.cache/vosr/photographs

Needs apt-get and dpkg (Debian, or a container of it), no root: packages are unpacked into the output folder, nothing
is installed. A run that was interrupted goes on where it stopped. The images keep the licences of their packages,
which are printed; shards of them are for training, not for passing on.
"""

import argparse
import os
import shutil
import subprocess
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from packages import PACKAGES, Package
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from tiles import tiles

from data_pipelines.shards import write_shards


def main() -> None:
    """Fetch, cut and pack what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [package.name for package in PACKAGES]
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for everything")
    parser.add_argument(
        "--packages", nargs="+", choices=names, default=names, metavar="NAME", help="some only"
    )
    parser.add_argument("--tile", type=int, default=256, help="side of a tile in pixels")
    parser.add_argument(
        "--most", type=float, default=38.0, help="PSNR in dB of bicubic x4 that a tile stays below"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    chosen = [package for package in PACKAGES if package.name in options.packages]
    print_licences(chosen)
    for package in track(chosen, "Fetching packages"):
        fetch(package, options.output)
    for package in chosen:
        cut(package, options.output, options.tile, options.most, options.processes)
    groups: dict[str, list[Path]] = {}
    for package in chosen:
        groups.setdefault(package.group, []).append(options.output / "tiles" / package.name)
    if "photographs" in groups:
        groups["monochrome"] = [monochrome(groups["photographs"], options.output)]
    for group, folders in groups.items():
        sources = [str(folder) for folder in folders]
        write_shards(sources, str(options.output / group), max_samples=1000, processes=options.processes)


def print_licences(packages: list[Package]) -> None:
    """What the model card of a model trained on these must name."""
    table = Table("package", "shards", "licence")
    for package in packages:
        table.add_row(package.name, package.group, package.licence)
    Console().print(table)


def fetch(package: Package, output: Path) -> None:
    """Download and unpack, unless that was done before."""
    done = output / "packages" / package.name
    if done.exists():
        return
    for tool in ("apt-get", "dpkg-deb"):
        if not shutil.which(tool):
            raise SystemExit(f"{tool} is not here; run this on Debian, or in a container of it (debian:12).")
    unfinished = output / "packages" / f"{package.name}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        run(["apt-get", "download", "-q", package.name], unfinished)
        (archive,) = unfinished.glob("*.deb")
        run(["dpkg-deb", "--extract", archive.name, "."], unfinished)
    except subprocess.CalledProcessError as error:
        raise SystemExit(
            f"{' '.join(error.cmd)} failed: {error.stderr.strip()}\nRun apt-get update once, as root."
        ) from None
    archive.unlink()
    unfinished.rename(done)


def run(command: list[str], folder: Path) -> None:
    """Run a command in a folder and keep what it says for its error."""
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)


def cut(package: Package, output: Path, side: int, most: float, processes: int) -> None:
    """Write the tiles of a package as PNG, unless that was done before."""
    done = output / "tiles" / package.name
    if done.exists():
        return
    unfinished = output / "tiles" / f"{package.name}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    root = output / "packages" / package.name
    images = package.images(root)
    work = partial(write_tiles, root=root, folder=unfinished, side=side, most=most, over=package.over)
    with ProcessPoolExecutor(processes) as pool:
        for _ in track(pool.map(work, images), f"Cutting {package.name}", total=len(images)):
            pass
    unfinished.rename(done)


def write_tiles(path: Path, root: Path, folder: Path, side: int, most: float, over: int | None) -> None:
    """Write the tiles of one image as PNG, named by its path."""
    stem = "-".join(path.relative_to(root).with_suffix("").parts[-3:])
    try:
        for name, tile in tiles(path, side, most, over):
            Image.fromarray(tile).save(folder / f"{stem}-{name}.png", compress_level=4)
    except (OSError, ValueError, SyntaxError):  # a few files of the packages are no images
        return


def monochrome(folders: list[Path], output: Path) -> Path:
    """Copies of every eighth tile in black and white, stored as RGB like most such photographs."""
    done, unfinished = output / "tiles" / "monochrome", output / "tiles" / "monochrome.part"
    if not done.exists():
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        originals = [path for folder in folders for path in sorted(folder.glob("*.png"))]
        for path in track(originals[::8], "Removing colour"):
            Image.open(path).convert("L").convert("RGB").save(unfinished / path.name, compress_level=4)
        unfinished.rename(done)
    return done


if __name__ == "__main__":
    main()
