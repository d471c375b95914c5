"""Training jobs as a launcher starts them: one process per rank, with its environment, each in its own group."""

import contextlib
import csv
import multiprocessing
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
import yaml
from lightning.pytorch.utilities import rank_zero_only

from vosr.checkpoints.training_state import full_tensor, is_complete, read_file, read_shards
from vosr.cli import main

ROOT = Path(__file__).parents[2]
CONFIG = {
    "model": {
        "class_path": "vosr.training.TeacherModule",
        "init_args": {
            "autoencoder": "doubles.ShuffleAutoencoder",
            "encoder": "doubles.MeanEncoder",
            "backbone": {
                "class_path": "lightning_dit",
                "init_args": {"width": 32, "depth": 1, "heads": 2, "latent_grid": 8},
            },
            "guidance": "restoration",
            "objective": "flow_matching",
            "degradation": "doubles.Dim",
            "sampling": {"steps": 2},
            "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 1e-3}},
        },
    },
    "data": {
        "class_path": "data_pipelines.ShardDataModule",
        "init_args": {"crop_size": 16, "batch_size": 2, "num_workers": 1, "shuffle": 4},
    },
    "trainer": {
        "max_steps": 12,
        "accelerator": "cpu",
        "num_sanity_val_steps": 0,
        "log_every_n_steps": 1,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "logger": {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": "logs"}},
    },
    "checkpoint": {"every_n_train_steps": 4},
}
STRATEGIES = {1: {"strategy": "auto"}, 2: {"strategy": {"class_path": "vosr.training.FullySharded"}}}


def write_config(folder: Path, shards: Path | str, ranks: int) -> None:
    """``config.yaml`` of a small teacher; two ranks are sharded."""
    config = yaml.safe_load(yaml.safe_dump(CONFIG))
    config["data"]["init_args"]["train"] = str(shards)
    config["trainer"] |= {"devices": ranks} | STRATEGIES[ranks]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


@dataclass
class Job:
    """The processes of one job."""

    folder: Path
    processes: list[BaseProcess] = field(default_factory=list)

    def wait(self, timeout: float = 240) -> list[int]:
        """Exit codes, -9 for a process that was killed."""
        deadline = time.monotonic() + timeout
        for process in self.processes:
            process.join(max(0, deadline - time.monotonic()))
        codes = [process.exitcode for process in self.processes]
        self.kill()
        assert None not in codes, f"the job hangs: {self.log()[-3000:]}"
        return codes

    def kill(self) -> None:
        """SIGKILL to every process of the job, data workers included."""
        for process in self.processes:
            kill_group(process.pid)

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("rank_*.log")))


def kill_group(pid: int) -> None:
    """SIGKILL to a process and those that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def start(folder: Path, *arguments: str, ranks: int = 1, fault=None) -> Job:
    """Start ``fit`` in ``folder``; ``fault`` is called in every process before the command line."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["jobs"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    job = Job(folder)
    for rank in range(ranks):
        process = context.Process(target=_rank, args=(folder, arguments, rank, ranks, port, fault))
        process.start()
        job.processes.append(process)
    return job


def _rank(folder, arguments, rank, ranks, port, fault):
    os.setsid()
    os.chdir(folder)
    log = os.open(f"rank_{rank}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if ranks > 1:
        environment = {
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": rank, "LOCAL_RANK": rank,
            "WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks, "GROUP_RANK": 0, "TORCHELASTIC_RUN_ID": "test",
        }  # fmt: skip
        os.environ.update({key: str(value) for key, value in environment.items()})
        rank_zero_only.rank = rank  # Lightning read the environment when the fork server loaded it
    torch.set_num_threads(1)
    multiprocessing.set_start_method("fork", force=True)  # for data workers: they start at once
    if fault is not None:
        fault(rank)
    sys.exit(main(["fit", "--config", "config.yaml", *arguments]))


def losses(folder: Path) -> dict[int, float]:
    """Loss by step, later log files over earlier ones."""
    found = {}
    files = folder.glob("logs/lightning_logs/version_*/metrics.csv")
    for path in sorted(files, key=lambda path: int(path.parent.name.rpartition("_")[2])):
        for row in csv.DictReader(path.open()):
            if row.get("loss"):
                found[int(row["step"])] = float(row["loss"])
    return found


def checkpoints(folder: Path, run: str = "001") -> dict[str, int]:
    """Optimizer step of every complete checkpoint of a run."""
    paths = sorted((folder / "runs/run" / run / "checkpoints").glob("*.ckpt"))
    return {path.name: contents(path)["global_step"] for path in paths if is_complete(path)}


def contents(path: Path) -> dict:
    """A training checkpoint of either form, whole."""
    return read_shards(path, full_tensor) if path.is_dir() else read_file(path)


def assert_same_weights(first: Path, second: Path) -> None:
    """Bit for bit: weights, their average, optimizer."""
    one, two = contents(first), contents(second)
    assert one["global_step"] == two["global_step"]
    assert one["state_dict"].keys() == two["state_dict"].keys()
    for name, value in one["state_dict"].items():
        assert torch.equal(value, two["state_dict"][name]), name
    for number, state in one["optimizer_states"][0]["state"].items():
        for key, value in state.items():
            assert torch.equal(value, two["optimizer_states"][0]["state"][number][key]), (number, key)
