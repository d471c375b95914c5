"""The wheel: built, installed in an environment of its own, used in a folder that is no checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).parents[2]
SOURCES = ("vosr", "data_pipelines", "configs", "pyproject.toml", "setup.py", "README.md", "LICENSE")
PIP = [sys.executable, "-m", "pip", "--quiet"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An environment with the wheel alone; the packages that it needs are those of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        ignore = shutil.ignore_patterns("__pycache__")
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / "source" / name, ignore=ignore)
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, folder / "source" / name)
    build = [
        *PIP,
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        folder,
        folder / "source",
    ]
    subprocess.run(build, check=True, timeout=300)
    (wheel,) = folder.glob("vosr-0.2*.whl")
    clean = folder / "clean"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", clean], check=True, timeout=300)
    python = clean / "bin" / "python"
    subprocess.run(
        [*PIP, "--python", python, "install", "--no-deps", "--no-index", wheel], check=True, timeout=300
    )
    (packages,) = clean.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")  # after the wheel's own
    return clean


@pytest.fixture
def vosr(environment, tmp_path):
    """Runs the installed command in an empty folder with two photographs."""
    (tmp_path / "photos").mkdir()
    values = np.random.default_rng(0).integers(0, 256, (2, 160, 160, 3), dtype=np.uint8)
    for number, image in enumerate(values):
        Image.fromarray(image).save(tmp_path / "photos" / f"{number}.png")
    settings = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    settings |= {"OMP_NUM_THREADS": "1", "VOSR_CACHE": str(tmp_path / "cache")}

    def run(program, *arguments):
        command = [environment / "bin" / program, *arguments]
        result = subprocess.run(
            command, cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=550
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


def test_the_package_is_the_wheels(vosr, environment):
    place = vosr("python", "-c", "import vosr, data_pipelines; print(vosr.__file__, data_pipelines.__file__)")
    assert all(Path(part).is_relative_to(environment) for part in place.split())
    assert vosr("vosr", "--version").startswith("vosr 0.2")


def test_restore_outside_a_checkout(vosr, tmp_path):
    Image.new("RGB", (10, 8), "teal").save(tmp_path / "small.png")
    vosr("vosr", "restore", "small.png", "-o", "out.png", "--device", "cpu")
    assert Image.open(tmp_path / "out.png").size == (40, 32)


def test_fit_takes_the_name_of_a_packaged_config(vosr, tmp_path):
    config = yaml.safe_load(vosr("vosr", "fit", "--config", "teacher", "--print_config"))
    assert config["model"]["class_path"] == "vosr.training.TeacherModule"
    assert config["trainer"]["max_steps"] > 0


@pytest.mark.slow
def test_one_step_by_a_packaged_config(vosr, tmp_path):
    options = ("--data.train=photos", "--data.validation=null", "--data.batch_size=1", "--data.num_workers=0",
               "--trainer.fast_dev_run=1", "--trainer.accelerator=cpu", "--trainer.precision=32-true",
               "--trainer.callbacks=null")  # fmt: skip
    vosr("vosr", "fit", "--config", "teacher", *options)


def test_evaluate_outside_a_checkout(vosr, tmp_path):
    options = (
        "--model",
        "bicubic",
        "--data",
        "photos",
        "--metrics",
        "psnr_y",
        "--device",
        "cpu",
        "-o",
        "report",
    )
    vosr("vosr", "evaluate", *options)
    assert list((tmp_path / "report").glob("*.html"))
