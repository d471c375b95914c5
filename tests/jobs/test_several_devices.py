"""Several devices: real processes share the images, and each failure is told."""

import multiprocessing
import os
import signal
import threading
import time

import pytest
from engines import Doubler, DoublerRecipe, save_noise

from vosr.jobs.devices import Work, run_on_devices
from vosr.jobs.files import Writing
from vosr.jobs.job import Done
from vosr.jobs.plan import JobPlan


@pytest.fixture
def work(tmp_path):
    for i in range(12):
        save_noise(tmp_path / f"in/{i}.png", seed=i)
    return Work(DoublerRecipe(), JobPlan((tmp_path / "in",), tmp_path / "out"), Writing(), batch_size=2)


def outputs(tmp_path):
    return sorted(path.name for path in (tmp_path / "out").glob("*"))


def test_two_processes_share_the_images(work, tmp_path):
    events, opened = [], []
    run_on_devices(work, ["one", "two"], events.append, opened.append)
    assert opened == [work.recipe.record(Doubler())] * 2
    assert opened[0].items() >= {"model": "doubler", "scale": 2, "size": None, "dtype": "auto"}.items()
    assert outputs(tmp_path) == sorted(f"{i}.png" for i in range(12))
    assert sorted(event.job.source.name for event in events) == outputs(tmp_path)
    assert {event.error for event in events} == {None}


@pytest.mark.parametrize(
    ("device", "message"), [("absent", "cannot be used here"), ("deadly", "exit code -9")]
)
def test_one_that_fails_does_not_stop_the_other(work, tmp_path, device, message):
    events = []
    with pytest.raises(ValueError, match=message):
        run_on_devices(work, ["one", device], events.append, lambda _: None)
    assert 0 < len(outputs(tmp_path)) < 12
    assert len(events) == len(outputs(tmp_path))


def test_an_interrupt_ends_all_processes_and_loses_no_result(work, tmp_path):
    """Ctrl-C in the first process: the others finish the image at hand."""
    slow = Work(DoublerRecipe(seconds=0.2), work.plan, work.writing, batch_size=1)
    events = []

    def report(event):
        events.append(event)
        if len(events) == 2:
            threading.Thread(target=lambda: (time.sleep(0.05), os.kill(os.getpid(), signal.SIGINT))).start()

    with pytest.raises(KeyboardInterrupt):
        run_on_devices(slow, ["one", "two"], report, lambda _: None)
    assert 2 <= len(events) < 12
    assert outputs(tmp_path) == sorted(event.job.target.name for event in events if isinstance(event, Done))
    assert not multiprocessing.active_children()
