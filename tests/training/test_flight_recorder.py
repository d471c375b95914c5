"""The switch sets what torch reads when the first process group of a process starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vosr.training.flight_recorder import record_collectives

ROOT = Path(__file__).parents[2]
SCRIPT = """
import pickle, sys
from pathlib import Path
import torch, torch.distributed as dist
from vosr.training.flight_recorder import record_collectives

record_collectives(Path(sys.argv[1]), 5)
dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
for _ in range(12):
    dist.all_reduce(torch.ones(3))
entries = pickle.loads(torch._C._distributed_c10d._dump_fr_trace())["entries"]
print([entry["profiling_name"] for entry in entries])
"""


def test_torch_keeps_as_many_collectives(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"{['gloo:all_reduce'] * 5}\n"


def test_the_dump_goes_to_the_run_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", {"HOME": "/"})
    record_collectives(tmp_path, 0)
    assert os.environ == {"HOME": "/"}
    record_collectives(tmp_path, 7)
    assert os.environ["TORCH_FR_DUMP_TEMP_FILE"] == f"{tmp_path}/flight_recorder/rank_"
    assert os.environ["TORCH_NCCL_DUMP_ON_TIMEOUT"] == "1"
    assert (tmp_path / "flight_recorder").is_dir()
    with pytest.raises(ValueError, match="flight_recorder must not be negative, not -1"):
        record_collectives(tmp_path, -1)
