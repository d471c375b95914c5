"""What commands import before they have anything to do: help must not wait for torch, restoring not for training."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = {
    "lightning", "webdataset", "kornia", "timm", "diffusers", "skimage", "torchmetrics", "scipy", "huggingface_hub",
    "transformers", "torch.distributed.checkpoint", "torch.distributed.fsdp",
}  # fmt: skip
PROGRAM = """
import json, os, sys
from contextlib import redirect_stdout

heavy = set(json.loads(sys.argv[1])) | {"torch"}
def loaded():
    return sorted(heavy & set(sys.modules))

report = {}
from vosr.cli import main
for command in ("restore", "--help"):
    with redirect_stdout(open(os.devnull, "w")):
        try:
            main([command, "--help"])
        except SystemExit:
            pass
    report[command] = loaded()
from vosr import Restorer
report["import"] = loaded()
import numpy
Restorer.from_pretrained("vosr_small_student", "cpu")(numpy.zeros((8, 8, 3), numpy.uint8), scale=1)
report["restored"] = loaded()
report["policy"] = os.environ["OMP_WAIT_POLICY"]
print(json.dumps(report))
"""


def started(**environment):
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(sorted(HEAVY))],
        capture_output=True, text=True, cwd=ROOT, env=os.environ | environment, check=True,
    )  # fmt: skip
    return json.loads(result.stdout)


def test_heavy_modules_are_imported_only_where_they_are_used():
    report = started(OMP_WAIT_POLICY="ACTIVE")
    assert report["restore"] == report["--help"] == []
    assert report["import"] == report["restored"] == ["torch"]
    assert report["policy"] == "ACTIVE"  # what the user has set stays


def test_threads_do_not_spin_unless_the_user_says_so():
    program = "import vosr, os; print(os.environ['OMP_WAIT_POLICY'])"
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, env=environment, check=True
    )
    assert result.stdout == "PASSIVE\n"
