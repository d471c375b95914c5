"""What an actor does, without Ray: it is an object that is called with batches."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from models import tiny_model
from PIL import Image

from vosr.checkpoints import save_model
from vosr.cli import main
from vosr.core.ray_cluster import RayCluster
from vosr.inference import Precision, Settings
from vosr.jobs import on_ray
from vosr.jobs.devices import Work
from vosr.jobs.files import Writing
from vosr.jobs.job import OutputError
from vosr.jobs.plan import JobPlan
from vosr.jobs.recipe import Recipe


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for number in range(3):
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(f"in/{number}.png")
    save_model(tiny_model(std=0.0, scale=2, size=16), Path("model"))
    recipe = Recipe("./model", Settings(), Precision(), trust_remote_code=True)
    return Work(recipe, JobPlan((Path("in"),), Path("out")), Writing())


def called(actor, jobs):
    """Events by number, and whether nothing more can be written."""
    batch = {"number": np.arange(len(jobs)), "job": [pickle.dumps(job) for job in jobs]}
    result = actor(batch)
    return dict(zip(result["number"], (pickle.loads(each)[1:] for each in result["result"])))


def test_what_a_lost_worker_has_written_is_not_done_again(work):
    jobs = list(work.plan.jobs(lambda event: None))
    Path("out").mkdir()
    jobs[1].target.write_bytes(b"written before")
    found = called(on_ray.RestoringActor(work, RayCluster(), "cpu"), jobs)
    assert jobs[1].target.read_bytes() == b"written before"
    assert found[1][0].notes == (on_ray._WRITTEN,)
    for number in (0, 2):
        event, fatal = found[number]
        assert (event.job, event.error, event.size, fatal) == (jobs[number], None, (16, 16), False)
        with Image.open(jobs[number].target) as restored:
            assert restored.size == (16, 16)


def test_a_full_disk_is_told_as_the_end(work, monkeypatch):
    def full(*_):
        raise OutputError("Cannot write: no space.")

    monkeypatch.setattr("vosr.jobs.pipeline.write", full)
    jobs = list(work.plan.jobs(lambda event: None))[:1]
    event, fatal = called(on_ray.RestoringActor(work, RayCluster(), "cpu"), jobs)[0]
    assert (event.error, fatal) == ("Cannot write: no space.", True)


def test_a_machine_without_the_folder_says_so(work):
    actor = on_ray.RestoringActor(work, RayCluster(folder="/nowhere"), "cpu")
    result = actor({"number": np.arange(2), "job": [b"", b""]})
    settings, problem, _ = pickle.loads(result["result"][0])
    assert settings is None
    assert problem.endswith("has no /nowhere; machines of a cluster share their files.")


def mistake(capsys, *options):
    """What the command says, where it does nothing."""
    with pytest.raises(SystemExit) as ended:
        main(["restore", "in", "-o", "out", "--model", "./model", "--trust_remote_code", *options])
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--ray_workers=2",), "--ray_workers needs --engine ray."),
        (("--engine=ray", "--ray_workers=0"), "ray_workers must be at least 1, not 0."),
        (("--engine=ray", "--device=cpu,cpu"), "--device names the device of each worker with --engine ray"),
        (("--engine=ray", "--timings"), "--timings reports the stages of one device"),
    ],
)
def test_options_that_do_not_go_together(work, options, sentence, capsys):
    assert sentence in mistake(capsys, *options)


def test_without_ray_one_sentence(work, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    sentence = "--engine ray needs Ray, which is not installed: pip install 'vosr[ray]'."
    assert sentence in mistake(capsys, "--engine=ray")
