"""What SLURM and torchrun have started must be what the trainer is to run on."""

import pytest

from vosr.training.launched import check_launch, check_tasks


@pytest.fixture
def launched(monkeypatch):
    """Sets the environment of a launcher, and nothing of another."""
    names = ("SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "SLURM_NNODES", "SLURM_JOB_NAME", "TORCHELASTIC_RUN_ID")
    for name in (*names, "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    return lambda **environment: [monkeypatch.setenv(name, str(value)) for name, value in environment.items()]


@pytest.mark.parametrize(("tasks", "devices", "nodes"), [(1, 2, 1), (2, 1, 1), (8, 8, 2), (16, 8, 1)])
def test_tasks_and_devices_of_two_numbers_are_refused(launched, tasks, devices, nodes):
    launched(SLURM_NTASKS=tasks, SLURM_NTASKS_PER_NODE=devices)
    with pytest.raises(
        ValueError, match=f"^SLURM started {tasks} process.* needs {devices * nodes}, one for each"
    ):
        check_launch(devices, nodes)


@pytest.mark.parametrize(("tasks", "devices", "nodes"), [(1, 1, 1), (16, 8, 2)])
def test_one_task_for_each_device_is_taken(launched, tasks, devices, nodes):
    launched(SLURM_NTASKS=tasks, SLURM_NTASKS_PER_NODE=devices)
    check_tasks()
    check_launch(devices, nodes)


def test_torchrun_counts_before_slurm(launched):
    launched(SLURM_NTASKS=1, TORCHELASTIC_RUN_ID="job", WORLD_SIZE=8)
    check_launch(4, 2)
    with pytest.raises(ValueError, match=r"^torchrun started 8 .* --nnodes=1 --nproc-per-node=4"):
        check_launch(4, 1)


def test_a_shell_inside_a_job_and_no_launcher_start_their_own(launched):
    check_launch(4, 1)
    launched(SLURM_NTASKS=1, SLURM_JOB_NAME="interactive")
    check_tasks()
    check_launch(4, 1)


def test_tasks_without_a_number_for_each_node_are_refused(launched):
    launched(SLURM_NTASKS=8, SLURM_NNODES=2)
    with pytest.raises(ValueError, match="--ntasks-per-node=4 instead"):
        check_tasks()
