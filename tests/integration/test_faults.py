"""Faults of a job in real processes; the same command continues with the curve of an undisturbed run."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from jobs import (
    assert_same_weights,
    checkpoints,
    contents,
    losses,
    start,
    write_config,
)
from safetensors.torch import load_file
from shard_files import write_shards_of

from vosr.checkpoints import load_model
from vosr.cli import main

COUNTS = [9, 4, 14, 6, 11]
LAST = "runs/run/001/checkpoints/last.ckpt"


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_shards_of(tmp_path_factory.mktemp("shards"), COUNTS)


@pytest.fixture(scope="module")
def undisturbed(shards, tmp_path_factory):
    """Folder of a job that nothing happened to, by number of ranks."""
    folders = {}

    def of(ranks):
        if ranks not in folders:
            folder = tmp_path_factory.mktemp(f"undisturbed_{ranks}")
            write_config(folder, shards, ranks)
            job = start(folder, ranks=ranks)
            assert job.wait() == [0] * ranks, job.log()
            folders[ranks] = folder
        return folders[ranks]

    return of


@pytest.fixture
def project(shards, tmp_path):
    """A folder with the configuration for a number of ranks."""

    def of(ranks):
        write_config(tmp_path, shards, ranks)
        return tmp_path

    return of


def assert_continued(folder, expected):
    """The loss curve and the final checkpoint are those of ``expected``, bit for bit."""
    curve = losses(folder)
    assert curve, "no losses were logged"
    assert curve.items() <= losses(expected).items()
    assert max(curve) == max(losses(expected))
    assert_same_weights(folder / LAST, expected / LAST)
    assert not list(folder.rglob("*.tmp"))


class KillInWrite:
    """SIGKILL to a process and its workers while the second checkpoint is written."""

    def __init__(self, when):
        self.when = when

    def __call__(self, rank):
        from vosr.checkpoints import training_state
        from vosr.training import sharded

        written = []

        def patched(write, after):
            def call(*arguments):
                written.append(1)
                if len(written) == 2 and not after:
                    if Path(arguments[1]).is_file():
                        Path(arguments[1]).write_bytes(b"half a checkpoint")
                    os.killpg(0, signal.SIGKILL)
                write(*arguments)
                if len(written) == 2:
                    os.killpg(0, signal.SIGKILL)

            return call

        if self.when == "data":
            from vosr.training import checkpoint_io

            checkpoint_io.write_file = patched(checkpoint_io.write_file, after=False)
            sharded.write_sharded = patched(sharded.write_sharded, after=rank == 0)
        else:
            training_state.write_file = patched(training_state.write_file, after=False)


@pytest.mark.parametrize(("ranks", "when"), [(1, "data"), (2, "data"), (2, "plain")])
def test_killed_in_a_checkpoint_write(project, undisturbed, ranks, when):
    folder = project(ranks)
    killed = start(folder, ranks=ranks, fault=KillInWrite(when))
    assert -signal.SIGKILL in wait_or_kill(killed)
    assert set(checkpoints(folder).values()) == {4}
    assert list((folder / "runs").rglob(".*.tmp"))
    again = start(folder, "--ckpt_path=last", ranks=ranks)
    assert again.wait() == [0] * ranks, again.log()
    assert not (folder / "runs/run/002").exists()
    assert_continued(folder, undisturbed(ranks))
    assert set(checkpoints(folder).values()) == {8, 12}  # the last two are kept, and last.ckpt


ASYNC = "--trainer.strategy.async_checkpoints=true"


class SlowWrite:
    """Shards of each checkpoint are written when training has gone on for two steps; then perhaps something happens.

    Args:
        number: of the checkpoint.
        then: "kill" this process and its workers, or "full": the disk is.
    """

    def __init__(self, number=0, then=None):
        self.number, self.then = number, then

    def __call__(self, rank):
        import threading

        from vosr.checkpoints import training_state
        from vosr.training import TeacherModule

        write, step = training_state._Writer.write_data, TeacherModule.training_step
        reached, begun, moved = [0], [], threading.Condition()

        def training_step(module, batch, batch_idx):
            with moved:
                reached[0] = module.global_step
                moved.notify_all()
            return step(module, batch, batch_idx)

        def write_data(writer, plan, planner):
            begun.append(reached[0])
            if (
                threading.current_thread() is not threading.main_thread() and reached[0] < 11
            ):  # not the last step
                with moved:
                    assert moved.wait_for(lambda: reached[0] >= begun[-1] + 2, timeout=100)
                sys.stdout.write("written after two steps\n")
                sys.stdout.flush()
            if len(begun) == self.number and self.then == "kill":
                os.killpg(0, signal.SIGKILL)
            if len(begun) == self.number and self.then == "full" and rank == 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(writer, plan, planner)

        TeacherModule.training_step = training_step
        training_state._Writer.write_data = write_data


@pytest.mark.slow
def test_training_goes_on_while_a_checkpoint_is_written(project, undisturbed):
    """What is written is what was there when it was asked for, and the older one goes when the newer is whole."""
    folder = project(2)
    recorded = "--flight_recorder=100"
    job = start(folder, ASYNC, recorded, "--checkpoint.save_top_k=1", ranks=2, fault=SlowWrite())
    assert job.wait() == [0, 0], job.log()
    assert job.log().count("written after two steps") == 4  # two checkpoints, two ranks; the last one waits
    assert set(checkpoints(folder).values()) == {12}
    assert_continued(folder, undisturbed(2))
    assert (folder / "runs/run/001/flight_recorder").is_dir()


@pytest.mark.slow
def test_killed_in_the_background_write(project, undisturbed):
    folder = project(2)
    killed = start(folder, ASYNC, "--checkpoint.save_top_k=1", ranks=2, fault=SlowWrite(2, "kill"))
    assert -signal.SIGKILL in wait_or_kill(killed)
    assert checkpoints(folder) == {"step_0000004.ckpt": 4}
    assert list((folder / "runs").rglob(".*.tmp"))
    again = start(folder, ASYNC, "--ckpt_path=last", ranks=2)
    assert again.wait() == [0, 0], again.log()
    assert_continued(folder, undisturbed(2))


@pytest.mark.slow
def test_a_full_disk_in_the_background_ends_all_ranks(project):
    folder = project(2)
    job = start(folder, ASYNC, ranks=2, fault=SlowWrite(2, "full"))
    assert job.wait() == [2, 2], job.log()
    path = Path("runs/run/001/checkpoints/step_0000008.ckpt")
    assert f"error: Checkpoint {path} could not be written: No space left on device." in job.log()
    assert checkpoints(folder) == {"step_0000004.ckpt": 4}
    assert not list(folder.rglob("*.tmp"))


def wait_or_kill(job):
    """Exit codes once one process was killed; the others are killed then, as a launcher does."""
    while all(process.is_alive() for process in job.processes):
        time.sleep(0.05)
    time.sleep(0.2)
    job.kill()
    return job.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_one_rank_ends_all_with_a_checkpoint(
    project, undisturbed, number, tmp_path_factory, monkeypatch
):
    folder = project(2)
    job = start(folder, ranks=2, fault=Requeue(folder, number))
    assert job.wait() == [128 + number] * 2, job.log()
    (stopped,) = set(checkpoints(folder).values()) - {4}
    assert stopped == 6
    queue = folder / "requeued"
    assert queue.read_text() == "requeue 77\n" if number == signal.SIGUSR1 else not queue.exists()
    again = start(folder, "--ckpt_path=auto", ranks=2)
    assert again.wait() == [0, 0], again.log()
    assert_continued(folder, undisturbed(2))


class Requeue:
    """Rank 1 is sent a signal in its sixth step; ``scontrol`` is a script that writes down what it is told."""

    def __init__(self, folder, number):
        self.folder, self.number = folder, number

    def __call__(self, rank):
        os.environ["SLURM_JOB_ID"] = "77"
        os.environ["PATH"] = f"{self.folder}:{os.environ['PATH']}"
        if rank == 0:
            script = self.folder / "scontrol"
            script.write_text(f'#!/bin/sh\necho "$@" >> {self.folder}/requeued\n')
            script.chmod(0o755)
            return
        from vosr.training import TeacherModule

        step = TeacherModule.training_step

        def training_step(module, batch, batch_idx):
            if module.global_step == 5:
                os.kill(os.getpid(), self.number)
            return step(module, batch, batch_idx)

        TeacherModule.training_step = training_step


def test_a_step_that_is_not_finite_on_one_rank_is_skipped_by_all(project, undisturbed):
    folder = project(2)
    poison = "--model.degradation={class_path: doubles.Poison, init_args: {rank: 1, batches: [8]}}"
    job = start(folder, poison, "--checkpoint.every_n_train_steps=1", "--checkpoint.save_top_k=-1", ranks=2)
    assert job.wait() == [0, 0], job.log()
    assert job.log().count("The gradient of step 8 is not finite") == 1
    saved = [contents(folder / f"runs/run/001/checkpoints/step_{n:07d}.ckpt") for n in (8, 9, 10)]
    for name, value in saved[0]["state_dict"].items():
        assert torch.equal(value, saved[1]["state_dict"][name]), name
    assert not torch.equal(
        saved[1]["state_dict"]["backbone.final_layer.linear.weight"],
        saved[2]["state_dict"]["backbone.final_layer.linear.weight"],
    )
    steps = [one["optimizer_states"][0]["state"][0]["step"].item() for one in saved]
    assert steps == [8, 8, 9]
    before = {step: loss for step, loss in losses(undisturbed(2)).items() if step <= 7}
    assert {step: loss for step, loss in losses(folder).items() if step <= 7} == before


def test_too_many_in_a_row_end_the_run(project):
    folder = project(2)
    poison = "--model.degradation={class_path: doubles.Poison, init_args: {rank: 1, batches: [5, 6, 7, 8]}}"
    job = start(folder, poison, "--non_finite.limit=3", ranks=2)
    assert job.wait() == [2, 2], job.log()
    assert "error: The gradient was not finite in 3 steps in a row, up to step 8." in job.log()
    assert checkpoints(folder)["last.ckpt"] == 8
    batches = [
        torch.load(folder / f"runs/run/001/non_finite/step_0000008_rank_{rank}.pt", weights_only=True)
        for rank in (0, 1)
    ]
    assert all(len(batch) == 1 and batch[0]["hq"].shape == (2, 3, 16, 16) for batch in batches)
    assert all(v.isfinite().all() for v in contents(folder / LAST)["state_dict"].values())


def test_a_hung_data_worker_ends_the_run(project, shards, undisturbed):
    folder = project(1)
    pipe = folder / "stream.sh"
    pipe.write_text(f"#!/bin/sh\n[ -e {folder}/healthy ] || exec sleep 1000\ncat {shards}/s000.tar\n")
    pipe.chmod(0o755)
    hung = ["--data.train", f"pipe:{pipe}", "--data.worker_timeout=2", "--data.batches_per_epoch=12"]
    job = start(folder, *hung)
    assert job.wait() == [2], job.log()
    assert "gave nothing for 2 s (data.worker_timeout)" in job.log()
    assert job.log().count("error: ") == 1
    (folder / "healthy").touch()
    again = start(folder, *hung, "--ckpt_path=auto")
    assert again.wait() == [0], again.log()


@pytest.fixture
def small_disk(tmp_path, undisturbed, request):
    """A tmpfs with room for one checkpoint and a half."""
    last = undisturbed(request.param) / LAST
    size = sum(path.stat().st_size for path in [last, *last.rglob("*")] if path.is_file()) * 3 // 2
    disk = tmp_path / "runs"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    made = (
        subprocess.run(mount, capture_output=True, text=True, check=False) if shutil.which("mount") else None
    )
    if made is None or made.returncode:
        pytest.skip(f"no tmpfs can be mounted: {made.stderr.strip() if made else 'no mount command'}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize(("small_disk", "ranks"), [(1, 1), (2, 2)], indirect=["small_disk"])
def test_full_disk_leaves_the_older_checkpoint(small_disk, ranks, project, undisturbed):
    folder = project(ranks)
    job = start(folder, ranks=ranks)
    assert job.wait() == [2] * ranks, job.log()
    assert "could not be written: No space left on device" in job.log()
    assert checkpoints(folder) == {"step_0000004.ckpt": 4}
    assert not list(small_disk.rglob("*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    again = start(folder, "--ckpt_path=last", ranks=ranks)
    assert again.wait() == [0] * ranks, again.log()
    assert_continued(folder, undisturbed(ranks))


def test_auto_begins_a_run_and_continues_none_that_is_older(project):
    folder = project(1)
    for expected in ("001", "002"):
        job = start(folder, "--ckpt_path=auto", "--trainer.max_steps=1", "--trainer.limit_train_batches=1")
        assert job.wait() == [0], job.log()
        assert (folder / f"runs/run/{expected}").is_dir()
        shutil.rmtree(folder / f"runs/run/{expected}/checkpoints")  # as if killed before the first


def test_export_puts_a_sharded_run_together(undisturbed, tmp_path):
    run = undisturbed(2) / "runs/run/001"
    assert not (run / "model/model.safetensors").exists()
    with pytest.raises(FileNotFoundError, match=r"python main\.py export"):
        load_model(run, trust_remote_code=True)
    assert main(["export", "--model", str(run), "-o", str(tmp_path / "out"), "--trust_remote_code"]) == 0
    exported = load_file(tmp_path / "out/model.safetensors")
    expected = contents(undisturbed(2) / LAST)["state_dict"]
    assert {f"average.{name}" for name in exported} == {n for n in expected if n.startswith("average.")}
    for name, value in exported.items():
        assert torch.equal(value, expected[f"average.{name}"]), name
