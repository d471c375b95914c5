"""Reading speed: decoders against each other, and the training stream against the bare decode loop.

Run as `python benchmarks/data.py`. Everything is made on the spot (dead leaves of 512 and 2048 pixels as JPEG of
quality 92 and PNG, packed into shards). Figures are images per second of CPU time of one core, the best of
several rounds: what others do on the same machine hardly matters.
"""

import argparse
import io
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import kornia_rs
import numpy as np
import PIL
import torch
import torchvision
from kornia_rs.io import ImageDecoder
from PIL import Image
from rich.console import Console
from rich.table import Table
from torchvision.io import ImageReadMode, decode_image

from data_pipelines import Augmentation, ShardDataModule
from data_pipelines.crop import Crop
from data_pipelines.decode import decode_crop
from data_pipelines.shards import write_shards
from data_pipelines.synthetic import DeadLeaves

CROP = 512
BATCH = 4
SHARE = "stream / bare loop"


def scene(side: int, number: int) -> Image.Image:
    """A square mosaic of dead leaves."""
    draw, tiles = DeadLeaves(512), side // 512
    rows = [
        np.concatenate([draw(number * 16 + r * tiles + c) for c in range(tiles)], axis=1)
        for r in range(tiles)
    ]
    return Image.fromarray(np.concatenate(rows))


def write_images(folder: Path, side: int, kind: str, count: int) -> list[Path]:
    folder.mkdir(parents=True)
    paths = []
    for number in range(count):
        paths.append(folder / f"{number}.{kind}")
        scene(side, number).save(paths[-1], **({"quality": 92} if kind == "jpg" else {}))
    return paths


def images_per_second(work: Callable[[], int], rounds: int) -> float:
    """Best of several rounds, by CPU time."""
    rates = []
    for _ in range(rounds):
        start = time.process_time()
        done = work()
        rates.append(done / (time.process_time() - start))
    return max(rates)


def with_pillow(encoded: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))


def with_pillow_cropped(encoded: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(encoded)).crop((0, 0, CROP, CROP)).convert("RGB"))


def with_torchvision(encoded: bytes) -> np.ndarray:
    data = torch.frombuffer(bytearray(encoded), dtype=torch.uint8)
    return decode_image(data, ImageReadMode.RGB).permute(1, 2, 0).numpy()


def with_kornia(encoded: bytes, decoder: ImageDecoder = ImageDecoder()) -> np.ndarray:  # noqa: B008
    return np.asarray(decoder.decode(encoded))


def ours(encoded: bytes) -> np.ndarray:
    return decode_crop(encoded, Crop(0.3, 0.6, True, 1), CROP)


def ours_shrunk(encoded: bytes) -> np.ndarray:
    return decode_crop(encoded, Crop(0.3, 0.6, True, 1), CROP, shrink_to=CROP)


DECODERS = {
    "Pillow, whole": with_pillow,
    "Pillow, crop 512": with_pillow_cropped,
    "torchvision, whole": with_torchvision,
    "kornia-rs, whole": with_kornia,
    "ours, crop 512": ours,
    "ours, shrunk to 512": ours_shrunk,
}


def decoders(paths: list[Path], rounds: int) -> dict[str, float]:
    contents = [path.read_bytes() for path in paths]
    rates = {}
    for name, decode in DECODERS.items():
        if name.startswith("kornia") and paths[0].suffix != ".jpg":
            continue

        def work(decode: Callable[[bytes], np.ndarray] = decode) -> int:
            for content in contents:
                decode(content)
            return len(contents)

        rates[name] = images_per_second(work, rounds)
    return rates


def stream(paths: list[Path], rounds: int) -> dict[str, float]:
    """The bare loop (read a file, decode, cut, into a batch) and the training stream over the same files."""

    def bare() -> int:
        for first in range(0, len(paths), BATCH):
            batch = np.empty((BATCH, CROP, CROP, 3), np.uint8)
            for row, path in zip(batch, paths[first : first + BATCH]):
                row[:] = decode_crop(path.read_bytes(), Crop(0.3, 0.6), CROP)
        return len(paths)

    shards = paths[0].parent.with_suffix(".shards")
    write_shards([str(paths[0].parent)], str(shards))
    module = ShardDataModule(
        str(shards), crop_size=CROP, batch_size=BATCH, num_workers=0, batches_per_epoch=max(1, len(paths) // BATCH),
        augmentation=Augmentation(),
    )  # fmt: skip
    loader = module.train_dataloader()
    next(iter(loader))

    def streamed() -> int:
        return sum(len(batch.key) for batch in loader)

    bare_rate, stream_rate = [], []
    for _ in range(rounds):  # alternately, so that a slow spell of the machine hits both
        bare_rate.append(images_per_second(bare, 1))
        stream_rate.append(images_per_second(streamed, 1))
    return {
        "bare loop": max(bare_rate),
        "stream": max(stream_rate),
        SHARE: max(stream_rate) / max(bare_rate),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for side, count in ((512, 48), (2048, 12)):
            for kind in ("jpg", "png"):
                paths = write_images(Path(folder) / f"{kind}{side}", side, kind, count)
                rates = decoders(paths, arguments.rounds) | stream(paths, arguments.rounds)
                results[f"{kind} {side}"] = rates
    versions = {
        "machine": platform.processor() or platform.machine(), "python": platform.python_version(),
        "pillow": PIL.__version__, "kornia_rs": kornia_rs.__version__, "torchvision": torchvision.__version__,
    }  # fmt: skip
    show(results)
    if arguments.out:
        arguments.out.write_text(
            json.dumps({"versions": versions, "images_per_second": results}, indent=2) + "\n"
        )


def show(results: dict[str, dict[str, float]]) -> None:
    table = Table("images/s of one core", *results)
    for name in [*DECODERS, "bare loop", "stream", SHARE]:
        cells = [rates.get(name) for rates in results.values()]
        table.add_row(
            name, *["–" if c is None else f"{c:.0%}" if name == SHARE else f"{c:.1f}" for c in cells]
        )
    Console().print(table)


if __name__ == "__main__":
    main()
