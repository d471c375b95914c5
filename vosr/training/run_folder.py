"""Run folders: ``<runs>/<name>/<number>`` with everything that is needed to know what a run was."""

import json
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import lightning as L
import torch
from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser, SaveConfigCallback

from vosr.checkpoints.training_state import newest
from vosr.core.files.atomic import remove_leftovers

LAUNCH = ".launch"
"""Identifies the start of ``fit`` that made a run folder, until all ranks know."""
PACKAGES = (
    "vosr", "torch", "lightning", "timm", "torchmetrics", "kornia", "webdataset", "jsonargparse", "diffusers",
    "safetensors", "numpy", "pillow",
)  # fmt: skip


def next_run(group: Path) -> Path:
    """The next free numbered folder of a group; not made yet."""
    numbers = [int(path.name) for path in group.glob("[0-9]*") if path.name.isdigit()]
    return group / f"{max(numbers, default=0) + 1:03d}"


def newest_checkpoint(group: Path) -> Path:
    """The newest complete checkpoint of a group's runs.

    Raises:
        FileNotFoundError: there is none.
    """
    found = newest(group.glob("[0-9]*/checkpoints/*.ckpt"))
    if found is None:
        raise FileNotFoundError(
            f"No checkpoint to continue from in {group}; start without --ckpt_path first."
        )
    return found


def checkpoint_to_continue(group: Path) -> Path | None:
    """The newest complete checkpoint of a group's last run; None where there is none and the run begins.

    For commands that are repeated word for word, by torchrun or a scheduler.
    """
    runs = [path for path in group.glob("[0-9]*") if path.name.isdigit()]
    last = max(runs, key=lambda path: int(path.name), default=None)
    return None if last is None else newest((last / "checkpoints").glob("*.ckpt"))


def versions() -> dict[str, Any]:
    """Python, platform, packages, device and code revision of this process."""
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "not installed"
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    device = (
        torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else platform.processor() or platform.machine()
    )
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "device": device,
        "revision": revision or "unknown",
        "command": sys.argv,
        "packages": packages,
    }


class RunRecord(SaveConfigCallback):
    """Writes the resolved configuration, versions and data listing into the run folder.

    A continued run adds numbered files and leaves the first ones as they are.
    """

    def __init__(self, parser: LightningArgumentParser, config: Namespace, run: Path) -> None:
        super().__init__(parser, config, save_to_log_dir=False)
        self.run = run

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        trainer.ckpt_path = (
            None  # what the run continued from may be removed once there are enough newer ones
        )

    def save_config(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self.run.mkdir(parents=True, exist_ok=True)
        (self.run / LAUNCH).unlink(missing_ok=True)  # every rank has its folder by now
        remove_leftovers(self.run)
        suffix = ""
        number = 1
        while (self.run / f"config{suffix}.yaml").exists():
            number += 1
            suffix = f"_{number}"
        text = self.parser.dump(self.config, skip_none=False, format="yaml")
        (self.run / f"config{suffix}.yaml").write_text(text)
        (self.run / f"versions{suffix}.json").write_text(json.dumps(versions(), indent=2) + "\n")
        listing = getattr(getattr(trainer, "datamodule", None), "listing", None)
        if listing is not None:
            (self.run / f"data{suffix}.json").write_text(json.dumps(listing(), indent=2) + "\n")
