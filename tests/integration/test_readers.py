"""Reading processes of a job: signals to the whole job, a death in a step, too little memory to share."""

import ctypes
import multiprocessing
import os
import signal
import subprocess
import time

import pytest
from jobs import assert_same_weights, checkpoints, losses, start, write_config
from shard_files import write_shards_of

LAST = "runs/run/001/checkpoints/last.ckpt"


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_shards_of(tmp_path_factory.mktemp("shards"), [9, 4, 14, 6, 11])


@pytest.fixture(scope="module")
def undisturbed(shards, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    write_config(folder, shards, 1)
    job = start(folder)
    assert job.wait() == [0], job.log()
    return folder


@pytest.fixture
def project(shards, tmp_path):
    write_config(tmp_path, shards, 1)
    return tmp_path


class InStep:
    """Calls ``act`` in the sixth step."""

    def __init__(self, act):
        self.act = act

    def __call__(self, rank):
        from vosr.training import TeacherModule

        plain = TeacherModule.training_step

        def training_step(module, batch, batch_idx):
            if module.global_step == 5:
                self.act()
            return plain(module, batch, batch_idx)

        TeacherModule.training_step = training_step


class SignalTheJob:
    """As ``timeout``, ``scancel`` and systemd do; the reading processes are first to act on it."""

    def __init__(self, number):
        self.number = number

    def __call__(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, {self.number})
        subprocess.run(["kill", f"-{int(self.number)}", "--", f"-{os.getpgid(0)}"], check=False)
        time.sleep(0.5)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {self.number})


def kill_the_reader():
    """As the kernel does where memory runs out."""
    (reader,) = multiprocessing.active_children()
    os.kill(reader.pid, signal.SIGKILL)
    time.sleep(0.5)


def continued(folder, expected):
    again = start(folder, "--ckpt_path=auto")
    assert again.wait() == [0], again.log()
    assert losses(folder) == losses(expected)
    assert_same_weights(folder / LAST, expected / LAST)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_to_the_whole_job_is_a_clean_stop(project, undisturbed, number):
    job = start(project, fault=InStep(SignalTheJob(number)))
    assert job.wait() == [128 + number], job.log()
    assert set(checkpoints(project).values()) == {4, 6}
    assert max(losses(project)) == 5  # the row of the last step too
    assert "Traceback" not in job.log()
    continued(project, undisturbed)


def test_a_reader_killed_in_a_step_costs_no_step(project, undisturbed):
    job = start(project, fault=InStep(kill_the_reader))
    assert job.wait() == [2], job.log()
    assert job.log().count("error: A data worker of rank 0 ended unexpectedly; was it killed") == 1
    assert "Traceback" not in job.log()
    assert set(checkpoints(project).values()) == {4, 6}
    continued(project, undisturbed)


def little_shared_memory(rank):
    """A /dev/shm of 64 KiB, for this process and its children alone."""
    assert ctypes.CDLL(None).unshare(0x20000) == 0  # CLONE_NEWNS
    for command in (["--make-rprivate", "/"], ["-t", "tmpfs", "-o", "size=64k", "tmpfs", "/dev/shm"]):
        subprocess.run(["mount", *command], check=True)


def test_too_little_shared_memory_is_a_sentence(project):
    tried = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"]
    try:
        subprocess.run(tried, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no tmpfs can be mounted: {error}")
    options = ["--data.crop_size=128", "--data.batch_size=8", "--data.worker_timeout=60"]
    job = start(project, *options, fault=little_shared_memory)
    assert job.wait() == [2], job.log()
    assert "had too little shared memory: /dev/shm holds 0.0625 MiB." in job.log()
    assert "Traceback" not in job.log()
