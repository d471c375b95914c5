"""Plans against processes that really train, by the benchmark that the documentation quotes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
LARGER = (
    *("--model.backbone=lightning_dit", "--model.backbone.patch_size=1", "--model.backbone.width=256"),
    *("--model.backbone.depth=5", "--model.backbone.heads=4", "--model.backbone.latent_grid=32"),
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    pixels = np.random.default_rng(0).integers(0, 256, (16, 136, 136, 3), np.uint8)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{i}.png")
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux to measure peak memory")
@pytest.mark.parametrize(
    "options",
    [
        ("teacher.yaml", *LARGER, "--data.batch_size=8", "--trainer.precision=32-true"),
        ("teacher.yaml", *LARGER, "--data.batch_size=16", "--model.parallel.activation_checkpointing=true",
         "--trainer.precision=32-true"),
        ("teacher.yaml", *LARGER, "--data.batch_size=16", "--model.parallel.activation_checkpointing=0.5",
         "--trainer.precision=32-true"),
        ("teacher.yaml", *LARGER, "--data.batch_size=8", "--trainer.precision=bf16-mixed"),
        ("distill.yaml", "--trainer.precision=32-true"),
    ],
    ids=["teacher", "checkpointing", "half of it", "mixed", "distillation"],
)  # fmt: skip
def test_operations_are_exact_and_memory_within_15_percent(photos, options, tmp_path):
    config, *options = options
    command = [
        *(
            sys.executable,
            str(ROOT / "benchmarks/plan.py"),
            "--json",
            "--config",
            str(ROOT / "configs" / config),
        ),
        *(f"--data.train={photos}", "--data.validation=null", "--model.degradation=gaussian_noise"),
        *("--model.lr_scheduler=null", *options),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    planned, measured = figures["planned"], figures["measured"]
    assert planned["flops"] == measured["flops"]
    assert planned["memory"] == pytest.approx(measured["memory"], rel=0.15)
