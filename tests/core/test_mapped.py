import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vosr.core.mapped import MappedFiles
from vosr.inference.precision import Part

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
MIB = 2**20


def resident(name="RssFile"):
    """Bytes of this process in memory, of files or its own."""
    lines = dict(
        line.split(":") for line in Path("/proc/self/status").read_text().splitlines() if ":" in line
    )
    return int(lines[name].split()[0]) * 1024


def stored(tmp_path):
    """64 MiB in a file."""
    save_file({"weight": torch.arange(2**24, dtype=torch.float32).view(4096, -1)}, tmp_path / "w.safetensors")
    return load_file(tmp_path / "w.safetensors")["weight"]


def test_pages_of_a_file_go_and_come_back(tmp_path):
    weight = stored(tmp_path)
    before = resident()
    total = weight.sum()
    assert resident() - before > 60 * MIB
    MappedFiles().release(weight)
    assert resident() - before < 4 * MIB
    assert weight.sum() == total


def test_other_memory_stays_as_it_is():
    tensor = torch.ones(2**20)
    MappedFiles().release(tensor)
    assert tensor.sum() == 2**20


def test_a_part_in_half_precision_keeps_no_pages_of_its_file(tmp_path):
    layer = torch.nn.Linear(1, 1, bias=False)
    layer.weight = torch.nn.Parameter(stored(tmp_path))
    before = resident()
    Part("layer", layer, torch.bfloat16)
    assert layer.weight.dtype == torch.bfloat16
    assert resident() - before < 4 * MIB
    assert layer.weight[0, :3].tolist() == [0, 1, 2]
