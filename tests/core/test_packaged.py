"""Configs by name, in a checkout and in a built package."""

import json
import os
import subprocess
import sys
from pathlib import Path

from vosr.core.packaged import CONFIGS, config_names, packaged_config

ROOT = Path(__file__).parents[2]


def test_every_yaml_of_the_checkout_has_its_name():
    assert ROOT / "configs" == CONFIGS
    assert set(config_names()) == {
        path.relative_to(CONFIGS).with_suffix("").as_posix() for path in CONFIGS.rglob("*.yaml")
    }
    assert packaged_config("cluster/fsdp") == CONFIGS / "cluster/fsdp.yaml"
    assert packaged_config("../pyproject") is packaged_config("teachr") is None


def test_a_built_package_holds_them_all(tmp_path):
    build = [
        sys.executable,
        "setup.py",
        "-q",
        "egg_info",
        "-e",
        str(tmp_path),
        "build",
        "-b",
        str(tmp_path / "b"),
    ]
    subprocess.run([*build, "--build-lib", str(tmp_path / "lib")], cwd=ROOT, check=True, capture_output=True)
    program = "import json, vosr.core.packaged as p; print(json.dumps([str(p.CONFIGS), p.config_names()]))"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path / "lib")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    folder, names = json.loads(run.stdout)
    assert Path(folder) == tmp_path / "lib/vosr/configs"
    assert names == config_names()
