"""Parts of a work: together everything, nothing twice, and as launchers number them."""

import pytest

from vosr.core.shard import JobShard

SLURM_ARRAY = {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_STEP": "2",
               "SLURM_ARRAY_TASK_COUNT": "4"}  # fmt: skip
SRUN = {"SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_STEP_ID": "0"}


@pytest.fixture
def launched(monkeypatch):
    for name in (*SLURM_ARRAY, *SRUN, "RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    return lambda environment: [monkeypatch.setenv(name, value) for name, value in environment.items()]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, JobShard(0, 1)),
        ({"RANK": "2", "WORLD_SIZE": "3"}, JobShard(2, 3)),
        (SLURM_ARRAY, JobShard(2, 4)),
        (SRUN, JobShard(1, 2)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, JobShard(0, 1)),  # the batch script itself
        (SLURM_ARRAY | SRUN, JobShard(6, 8)),
        (SRUN | {"RANK": "5", "WORLD_SIZE": "8"}, JobShard(5, 8)),
    ],
)
def test_launchers_number_the_parts(launched, environment, expected, caplog):
    launched(environment)
    assert JobShard.given(None) == expected
    assert (f"Part {expected.index + 1}/{expected.count}, as launched" in caplog.text) == (expected.count > 1)
    assert JobShard.given("1/1") == JobShard()


def test_tasks_of_an_array_s_tasks_do_everything_once(launched):
    found = []
    for task in range(4):
        for process in range(2):
            launched(
                SLURM_ARRAY | SRUN | {"SLURM_ARRAY_TASK_ID": str(3 + 2 * task), "SLURM_PROCID": str(process)}
            )
            found.append(JobShard.given(None))
    names = [f"{i}.png" for i in range(100)]
    assert sorted(name for shard in found for name in names if shard.holds(name)) == sorted(names)
