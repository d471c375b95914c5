"""Small real shards, images and streams."""

import io
import multiprocessing
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from data_pipelines.crop import Augmentation
from data_pipelines.sources import find_source
from data_pipelines.sources.fields import Fields
from data_pipelines.training_data import DataPlan, TrainingData


def clean_processes():
    """Start method for real ranks: forks of a fresh process that has everything imported and no CUDA."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lightning", "data_pipelines"])
    return context


def encoded_image(number: int, side: int = 12, kind: str = "PNG") -> bytes:
    """A small image that differs from every other number's."""
    pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    """A tar archive of the given files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_shards_of(folder: Path, counts: list[int]) -> Path:
    """Shards with the given numbers of samples; keys are unique over all of them."""
    for shard, count in enumerate(counts):
        members = {f"{shard:03d}_{i:04d}.png": encoded_image(1000 * shard + i) for i in range(count)}
        write_tar(folder / f"s{shard:03d}.tar", members)
    return folder


def all_keys(counts: list[int]) -> set[str]:
    """Keys of the samples of ``write_shards_of``."""
    return {f"s{s:03d}/{s:03d}_{i:04d}" for s, count in enumerate(counts) for i in range(count)}


def make_plan(
    *sources,
    weights=None,
    batch_size=1,
    shuffle=8,
    block=0,
    seed=0,
    crop_size=8,
    hq=None,
    lq=None,
    key="sample",
):
    """Plan over folders, tars or shards."""
    found = [
        find_source([str(source)], weight, Fields(hq, lq), key)
        for source, weight in zip(sources, weights or [1.0] * len(sources))
    ]
    return DataPlan(tuple(found), crop_size, batch_size, shuffle, block, Augmentation(), seed)


def deliveries(plan: DataPlan, count: int, first: int = 0):
    """``count`` deliveries from position ``first`` on."""
    data = TrainingData(plan)
    return [data[first + i * plan.batch_size] for i in range(count)]


def keys_of(given):
    """Keys of all samples of some deliveries."""
    return [key for delivery in given for key in delivery.batch.key]
