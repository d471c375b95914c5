"""The notebook's cells run from first to last, with a training of two steps."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOK = json.loads((ROOT / "examples/notebook.ipynb").read_text())
FIT = [
    "--model.backbone.widths=[8,16]",
    "--model.backbone.blocks=[1,1]",
    "--data.batch_size=2",
    "--data.num_workers=0",
]
ELSEWHERE = {"install": "", "colab": "", "parameters": f"STEPS = 2\nFIT = {FIT}"}
"""What stands for cells that need the network, Colab or a longer time."""


def sources():
    for cell in NOTEBOOK["cells"]:
        if cell["cell_type"] == "code":
            (tag,) = cell["metadata"].get("tags", [""])
            yield ELSEWHERE.get(tag, "".join(cell["source"]))


def test_no_outputs_are_kept_and_every_tag_is_known():
    cells = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    assert {tag for cell in cells for tag in cell["metadata"].get("tags", [])} == set(ELSEWHERE)


@pytest.mark.slow
def test_the_cells_run(tmp_path):
    program = "\n".join(sources()) + "\nassert restored.size == own(small, scale=4).size == (256, 256)\n"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    assert (tmp_path / "runs/teacher/001/model/model.safetensors").is_file()
