"""torchrun: a killed rank, and a host that is cut off."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jobs import ROOT, assert_same_weights, checkpoints, losses, start, write_config
from shard_files import write_shards_of

pytestmark = pytest.mark.slow
LAST = "runs/run/001/checkpoints/last.ckpt"


@pytest.fixture
def project(tmp_path):
    """A folder with a sharded job of two ranks."""
    shards = write_shards_of(tmp_path / "shards", [9, 4, 14, 6, 11])
    write_config(tmp_path, shards, 2)
    return tmp_path


def torchrun(folder, *options, prefix=(), arguments=(), log="log.txt"):
    """Start torchrun in ``folder``, in a group of its own."""
    environment = os.environ | {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}  # see docs/training_at_scale.md
    environment |= {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/helpers'}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", *options, str(ROOT / "main.py"), "fit"]
    return subprocess.Popen(
        [*prefix, *command, "--config", "config.yaml", "--ckpt_path=auto", *arguments],
        cwd=folder, env=environment, start_new_session=True, stderr=subprocess.STDOUT,
        stdout=(folder / log).open("a"),
    )  # fmt: skip


def workers(agent):
    """Process ids of the ranks that a torchrun has started."""
    children = Path(f"/proc/{agent}/task/{agent}/children")
    return [int(pid) for pid in children.read_text().split()] if children.exists() else []


def wait_for(condition, timeout=200):
    """The first true value of ``condition``."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("timed out")


def has_checkpoint(folder):
    return list((folder / "runs").glob("run/001/checkpoints/*.ckpt"))


@contextlib.contextmanager
def ended(*processes):
    """Nothing of the groups is left afterwards."""
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_torchrun_restarts_after_a_killed_rank(project, tmp_path_factory):
    whole = tmp_path_factory.mktemp("whole")
    write_config(whole, project / "shards", 2)
    more = ["--trainer.max_steps=40"]
    undisturbed = start(whole, *more, ranks=2)
    assert undisturbed.wait() == [0, 0], undisturbed.log()
    options = ["--standalone", "--nproc-per-node=2", "--max-restarts=2", "--monitor-interval=0.2"]
    job = torchrun(project, *options, arguments=more)
    with ended(job):
        wait_for(lambda: has_checkpoint(project))
        time.sleep(random.random())
        os.kill(random.choice(workers(job.pid)), signal.SIGKILL)
        assert job.wait(240) == 0, (project / "log.txt").read_text()[-3000:]
    assert not (project / "runs/run/002").exists()
    curve, expected = losses(project), losses(whole)
    assert max(curve) == 39
    assert curve.items() <= expected.items()
    assert_same_weights(project / LAST, whole / LAST)


# -- two hosts ------------------------------------------------------------------------------------------------


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@pytest.fixture
def hosts():
    """Two network namespaces with a cable between them; all traffic stays inside."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and the command ip (Debian: iproute2)")
    names = [f"vosr{os.getpid()}{side}" for side in "ab"]
    try:
        ip("netns", "add", names[0])
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
    try:
        ip("netns", "add", names[1])
        ip("-n", names[0], "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", names[1])
        for number, name in enumerate(names, start=1):
            ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def test_a_host_that_is_cut_off_comes_back(project, hosts):
    """Two hosts with one rank each; the cable of one is pulled until both have noticed."""
    arguments = [
        "--trainer.num_nodes=2", "--trainer.devices=1", "--trainer.max_steps=200",
        "--checkpoint.every_n_train_steps=10",
        "--trainer.strategy.timeout=0:00:10",
    ]  # fmt: skip
    script = (
        project / "host.sh"
    )  # the launch line of docs/training_at_scale.md: begin again until it ends well
    script.write_text('until "$@"; do sleep 1; done\n')

    def host(number):
        options = [
            "--nnodes=2", "--nproc-per-node=1", "--max-restarts=20", "--monitor-interval=0.5",
            "--rdzv-backend=c10d", "--rdzv-endpoint=10.77.0.1:29400", "--rdzv-id=job",
            f"--rdzv-conf=is_host={int(number == 1)},read_timeout=10,keep_alive_interval=1,keep_alive_max_attempt=5",
            f"--local-addr=10.77.0.{number}",
        ]  # fmt: skip
        prefix = [
            "ip",
            "netns",
            "exec",
            hosts[number - 1],
            "env",
            "GLOO_SOCKET_IFNAME=cable",
            "sh",
            str(script),
        ]
        return torchrun(project, *options, prefix=prefix, arguments=arguments, log=f"host_{number}.txt")

    def newest():  # by name: the job removes old ones at the same time
        return max((int(path.stem[5:]) for path in has_checkpoint(project) if path.stem != "last"), default=0)

    def log():
        return "\n".join((project / f"host_{n}.txt").read_text()[-2500:] for n in (1, 2))

    both = host(1), host(2)
    with ended(*both):
        wait_for(lambda: has_checkpoint(project))
        ip("-n", hosts[1], "link", "set", "cable", "down")
        time.sleep(15)  # longer than the ranks wait for each other
        before = newest()
        time.sleep(3)
        assert newest() == before, "training went on with half of the job"
        ip("-n", hosts[1], "link", "set", "cable", "up")
        wait_for(lambda: newest() > before, 240)
        assert [one.wait(240) for one in both] == [0, 0], log()
    assert checkpoints(project)["last.ckpt"] == 200
    assert not (project / "runs/run/002").exists()
    curve = losses(project)
    assert max(curve) == 199
