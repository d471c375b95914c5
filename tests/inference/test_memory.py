import subprocess
import sys
from pathlib import Path

import pytest
import torch
from images import small_dct
from models import tiny_model

from vosr.inference.memory import GIB, free_memory, make_plan, memory_budget

ROOT = Path(__file__).parents[2]


def model():
    return tiny_model(autoencoder=small_dct(), size=128)


def test_tiles_only_where_the_image_is_larger_than_the_training_size():
    assert make_plan(model(), 128, 160, None, GIB).tile == 0
    assert make_plan(model(), 128, 176, None, GIB).tile == 16
    assert make_plan(model(), 2048, 2048, 0, GIB).tile == 0
    assert make_plan(model(), 2048, 2048, 300, GIB).tile == 36  # cells, a multiple of the patch
    assert make_plan(model(), 128, 128, 512, GIB).tile == 0


def test_less_memory_means_less_at_once():
    plans = [make_plan(model(), 2048, 2048, None, memory) for memory in (2**20, 2**24, 2**28, 2**32)]
    assert [plan.batch for plan in plans] == sorted(plan.batch for plan in plans)
    assert [plan.block for plan in plans] == sorted(plan.block for plan in plans)
    assert plans[0].batch == 1
    assert plans[0].block < plans[-1].block
    working = model().conditioner.autoencoder.working_bytes
    assert (plans[2].block * 8) ** 2 * working <= 2**28


def test_free_memory_of_this_machine():
    free = free_memory(torch.device("cpu"))
    assert 2**26 < free < 2**44
    assert memory_budget(torch.device("cpu"), 1.5) == 1.5 * GIB
    assert memory_budget(torch.device("cpu"), None) < free


MEASURE = """
import re, sys
import numpy as np
from vosr import Restorer
from vosr.inference import Settings
restorer = Restorer.from_pretrained("vosr_small_student", "cpu")
side = int(sys.argv[1])
rng = np.random.default_rng(0)
image = rng.integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
for strip in restorer.restore_rows(image, Settings(memory=0.02, size=(side, side), seed=0)):
    assert strip.shape[1:] == (side, 3)
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read()).group(1))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_memory_hardly_grows_with_the_image():
    """Nine times the pixels cost a few latents of C / factor^2 = 3 floats per pixel, and strips that are wider."""
    peaks = []
    for side in (512, 1536):
        result = subprocess.run(
            [sys.executable, "-c", MEASURE, str(side)], capture_output=True, text=True, cwd=ROOT, check=True
        )
        peaks.append(int(result.stdout) * 1024)
    latents = 7 * 4 * 48 / 16 * (1536**2 - 512**2)
    assert peaks[1] - peaks[0] < latents + 100e6
