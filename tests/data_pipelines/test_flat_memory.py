"""Memory does not grow with the run."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from shard_files import make_plan, write_tar

from data_pipelines.training_data import TrainingData


def jpeg(number, side):
    small = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize((side, side)).save(buffer, "JPEG")
    return buffer.getvalue()


def resident() -> float:
    """Resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def test_memory_is_flat_over_five_thousand_samples(tmp_path):
    for shard in range(4):
        write_tar(tmp_path / f"{shard}.tar", {f"{i}.jpg": jpeg(i, 96) for i in range(60)})
    data = TrainingData(make_plan(tmp_path, batch_size=20, crop_size=64))
    for i in range(50):
        data[20 * i]
    before = resident()
    for i in range(50, 300):
        data[20 * i]
    assert resident() - before < 5
