"""Memory does not grow with the run."""

import gc
import io
import mmap
import tracemalloc
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


def resident():
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def test_memory_is_flat_over_two_thousand_samples(tmp_path):
    """No list of keys, files or faults grows: less than one pointer a sample. No decoder or tensor leaks pixels."""
    batch, crop, batches = 20, 64, 100
    for shard in range(4):
        write_tar(tmp_path / f"{shard}.tar", {f"{i}.jpg": jpeg(i, 96) for i in range(60)})
    data = TrainingData(make_plan(tmp_path, batch_size=batch, crop_size=crop))

    def read(first, last):
        for i in range(first, last):
            data[batch * i]
        gc.collect()
        return resident(), tracemalloc.get_traced_memory()[0]

    read(0, 40)  # several passes: caches are full
    tracemalloc.start()
    before = read(40, 50)
    after = read(50, 50 + batches)
    tracemalloc.stop()
    assert after[1] - before[1] < 8 * batch * batches
    assert (
        after[0] - before[0] < batch * batches * crop * crop * 3 / 4
    )  # a quarter of the pixels of the batches
