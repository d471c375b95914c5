"""Every start of fit has a run folder of its own, and its ranks have the same one."""

import os
import threading

import pytest
from lightning.pytorch.utilities import rank_zero_only

from vosr.training.claim import claim_run, give_up


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in ("VOSR_RUN", "TORCHELASTIC_RUN_ID", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(rank_zero_only, "rank", 0, raising=False)
    return monkeypatch


def test_starts_at_one_moment_never_share_a_folder(tmp_path):
    barrier, made = threading.Barrier(8), []

    def start():
        barrier.wait()
        made.append(claim_run(tmp_path / "runs/x"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in made) == [f"{i:03d}" for i in range(1, 9)]


@pytest.mark.parametrize("first", ["rank 0", "rank 1"])
def test_ranks_of_a_launcher_agree(tmp_path, alone, first):
    group = tmp_path / "runs/x"
    (group / "004").mkdir(parents=True)
    alone.setenv("MASTER_PORT", "1234")

    def folder_of(rank):
        alone.setattr(rank_zero_only, "rank", rank)
        alone.delenv("VOSR_RUN", raising=False)  # a launcher's ranks inherit nothing from each other
        return claim_run(group)

    ranks = (0, 1) if first == "rank 0" else (1, 0)
    assert {folder_of(rank) for rank in ranks} == {group / "005"}


def test_processes_that_the_first_one_starts_inherit_it(tmp_path, alone):
    run = claim_run(tmp_path)
    (tmp_path / "002").mkdir()
    alone.setattr(rank_zero_only, "rank", 1)
    alone.setattr(os, "getppid", os.getpid)
    assert claim_run(tmp_path) == run


def test_ranks_of_a_later_start_do_not_take_the_folder_of_an_earlier_one(tmp_path, alone):
    claim_run(tmp_path / "earlier")  # leaves its mark in the environment that the ranks of a later start get
    alone.setattr(rank_zero_only, "rank", 1)
    assert claim_run(tmp_path / "later") == tmp_path / "later/001"


def test_a_start_that_fails_leaves_nothing(tmp_path):
    run = claim_run(tmp_path / "runs/x")
    give_up(run)
    assert list(tmp_path.iterdir()) == []
    run = claim_run(tmp_path / "runs/x")
    (run / "config.yaml").touch()
    give_up(run)
    assert (run / "config.yaml").exists()
