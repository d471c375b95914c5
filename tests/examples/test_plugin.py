"""The example plug-in: installed by pip into a folder of its own, found by name, trained with."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from jobs import CONFIG

from vosr.core.registry.entry_points import unknown_groups

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "examples" / "vosr-plugin-example"
KINDS = {"encoder": "colour_layout", "guidance": "coarse", "degradation": "posterise", "metric": "mean_error"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the package as pip installs it; what it stands on is in this environment."""
    target = tmp_path_factory.mktemp("site")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    copied = tmp_path_factory.mktemp("source") / "plugin"  # a build writes beside its source
    shutil.copytree(PLUGIN, copied)
    subprocess.run([*pip, "--target", target, copied], check=True, timeout=300)
    return target


def run(installed, *arguments, folder):
    path = f"{installed}:{ROOT}:{ROOT / 'tests' / 'helpers'}"
    return subprocess.run(
        [sys.executable, ROOT / "main.py", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip


def test_training_and_restoring_with_components_by_name(installed, tmp_path):
    model = {**CONFIG["model"], "init_args": {**CONFIG["model"]["init_args"]}}
    model["init_args"] |= {kind: name for kind, name in KINDS.items() if kind != "metric"}
    config = {
        "name": "plugin",
        "model": model,
        "data": {"class_path": "doubles.ImageData", "init_args": {"count": 4}},
        "validation": {"metrics": ["psnr_y", "mean_error"]},
        "trainer": {"max_steps": 2, "val_check_interval": 2, "check_val_every_n_epoch": None, "accelerator": "cpu",
                    "num_sanity_val_steps": 0},
    }  # fmt: skip
    (tmp_path / "plugin.yaml").write_text(yaml.safe_dump(config))
    result = run(installed, "fit", "--config", "plugin.yaml", "--model.encoder.grid=2", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    record = (tmp_path / "runs/plugin/001/model/config.json").read_text()
    assert '"name": "colour_layout"' in record
    assert '"name": "coarse"' in record
    assert '"name": "posterise"' in record
    (metrics,) = (tmp_path / "runs/plugin/001/metrics").glob("*/metrics.csv")
    rows = list(csv.DictReader(metrics.open()))
    assert any(0 <= float(row["val/mean_error"] or "nan") <= 255 for row in rows)


def test_components_lists_what_is_installed(installed, tmp_path):
    result = run(installed, "components", *KINDS.values(), folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "--model.encoder.grid=8   (int)" in result.stdout
    assert "vosr_plugin_example.metric.MeanError" in result.stdout
    assert "not read" not in result.stderr


def test_what_the_components_compute(monkeypatch):
    monkeypatch.syspath_prepend(PLUGIN)
    from vosr_plugin_example.degradation import Posterise
    from vosr_plugin_example.encoder import ColourLayout
    from vosr_plugin_example.guidance import CoarseGuidance
    from vosr_plugin_example.metric import MeanError

    from vosr.core.types import Condition

    tokens = ColourLayout(2)(torch.full((1, 3, 8, 6), 0.25))
    assert torch.allclose(tokens, torch.tensor([0.25] * 3 + [0.0] * 3).expand(1, 4, 6))
    latent = torch.arange(12.0).view(1, 1, 3, 4)
    partial = CoarseGuidance(block=2).partial_condition(Condition(latent, tokens))
    assert partial.latent[0, 0].tolist() == [
        [2.5, 2.5, 4.5, 4.5],
        [2.5, 2.5, 4.5, 4.5],
        [8.5, 8.5, 10.5, 10.5],
    ]
    assert not partial.tokens.any()
    lq = Posterise((3, 3))(torch.linspace(0, 1, 48).view(1, 3, 4, 4))
    assert lq.unique().mul(255).round().tolist() == [0, 128, 255]
    metric = MeanError()
    metric.update(torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 10 / 255))
    assert float(metric.compute()) == pytest.approx(10, abs=1e-3)


def test_groups_that_look_like_ours_are_named():
    kinds = ("encoder", "guidance", "metric")
    groups = ["vosr.encoder", "vosr.encoders", "vosr.nothing_like_it", "console_scripts", "vosrx.encoder"]
    first, second = unknown_groups(kinds, groups)
    assert (
        first
        == "Plug-ins in the entry-point group 'vosr.encoders' are not read. Did its author mean 'vosr.encoder'?"
    )
    assert "Groups are vosr.encoder, vosr.guidance, vosr.metric." in second
