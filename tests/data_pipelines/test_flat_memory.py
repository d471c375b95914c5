"""Memory does not grow with the run, and what waits in the shuffle window is compressed."""

import io
import tracemalloc
from pathlib import Path

import numpy as np
from PIL import Image
from shard_files import make_plan, write_tar

from data_pipelines.stream.reader import Reader


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
    stream = iter(Reader(make_plan(tmp_path, batch_size=20, shuffle=50, crop_size=64), 0))
    for _ in range(50):
        next(stream)
    before = resident()
    for _ in range(250):
        next(stream)
    assert resident() - before < 5


def test_window_holds_compressed_samples(tmp_path):
    members = {f"{i}.jpg": jpeg(i, 640) for i in range(120)}
    compressed = sum(map(len, members.values()))
    write_tar(tmp_path / "a.tar", members)
    plan = make_plan(tmp_path, batch_size=1, shuffle=120, crop_size=64)
    assert plan.window(0) == 120
    tracemalloc.start()
    stream = iter(Reader(plan, 0))
    for _ in range(130):
        next(stream)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    decoded = 120 * 640 * 640 * 3
    assert peak < compressed + 10e6 < decoded / 10
