"""One image, whatever it does, ends neither the others nor the run: exceptions, time, memory, names."""

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
from engines import Doubler, restore_here, save_noise
from PIL import Image

from vosr.core import pool
from vosr.core.deadline import deadline
from vosr.core.pool import Pool
from vosr.imaging.limits import Header
from vosr.jobs import files
from vosr.jobs.files import Writing
from vosr.jobs.job import Job
from vosr.jobs.names import output_names
from vosr.jobs.plan import JobPlan


def errors_of(events):
    return {event.job.source.name: event.error for event in events}


def jobs_for(folder, *names, suffix=".png"):
    return [Job(folder / name, folder / "out" / f"{name}{suffix}") for name in names]


@pytest.mark.parametrize(
    "kind", [IndexError, TypeError, AssertionError, MemoryError, RecursionError, KeyError]
)
def test_any_exception_concerns_one_image(tmp_path, monkeypatch, kind):
    for name in ("read.png", "restore.png", "write.png", "good.png"):
        save_noise(tmp_path / name, size=(5, 4) if name == "restore.png" else (8, 6))
    read_photo, write_photo = files.read_photo, files.write_photo

    def reading(path):
        if path.name == "read.png":
            raise kind("7")
        return read_photo(path)

    def writing(photo, rows, size, path, encoding):
        if path.name == "write.png.png":
            raise kind("7")
        return write_photo(photo, rows, size, path, encoding)

    class Engine(Doubler):
        def restore_batch(self, images, settings):
            if images[0].shape[1] == 5:
                raise kind("7")
            return super().restore_batch(images, settings)

    monkeypatch.setattr(files, "read_photo", reading)
    monkeypatch.setattr(files, "write_photo", writing)
    jobs = jobs_for(tmp_path, "read.png", "restore.png", "write.png", "good.png")
    errors = errors_of(restore_here(jobs, Engine()))
    assert errors["good.png"] is None
    for step in ("read", "restore", "write"):
        assert errors[f"{step}.png"].startswith(f"Cannot {step} {tmp_path}")
        assert kind.__name__ in errors[f"{step}.png"] or "not enough memory" in errors[f"{step}.png"]


def test_what_takes_too_long_is_ended_and_told(tmp_path, monkeypatch):
    for name in ("slow.png", "good.png"):
        save_noise(tmp_path / name)
    read_photo = files.read_photo

    def reading(path):
        while path.name == "slow.png":
            try:
                time.sleep(0.01)
            except TimeoutError:  # a library that catches everything once
                read_photo(path)
                while True:
                    time.sleep(0.01)
        return read_photo(path)

    monkeypatch.setattr(files, "read_photo", reading)
    monkeypatch.setattr(files, "_SECONDS", 0.2)
    errors = errors_of(restore_here(jobs_for(tmp_path, "slow.png", "good.png")))
    assert errors == {
        "slow.png": f"Cannot read {tmp_path}/slow.png: it takes longer than 0 seconds.",
        "good.png": None,
    }
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


def test_a_deadline_that_is_kept_leaves_no_timer():
    with deadline(30):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def hang(number):
    """As a decoder that never returns to Python."""
    if number == 1:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGTERM})
        time.sleep(600)
    return number


def test_a_process_that_hangs_is_ended_and_takes_no_other_call_with_it(monkeypatch):
    workers = Pool(1)
    tasks = [workers.submit(hang, number) for number in range(3)]
    assert workers.result(tasks[0]) == 0  # the process has started
    monkeypatch.setattr(pool, "PATIENCE", 6.0)
    monkeypatch.setattr(pool, "GRACE", 0.5)
    with pytest.raises(ValueError, match="hung for 6 seconds"):
        workers.result(tasks[1])
    assert workers.result(tasks[2]) == 2
    workers.submit(hang, 1)
    time.sleep(0.2)
    start = time.monotonic()
    workers.close()
    assert time.monotonic() - start < 5
    assert not multiprocessing.active_children()


def test_pages_of_two_sizes_do_not_end_a_folder(tmp_path):
    pages = [Image.new("L", size, 90) for size in ((8, 6), (5, 4))]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    save_noise(tmp_path / "good.png")
    jobs = jobs_for(tmp_path, "a.tif", "good.png", suffix=".webp")
    errors = errors_of(restore_here(jobs, writing=Writing(frames="all")))
    assert errors["good.png"] is None
    assert "WEBP holds images of one size only, not 10x8 and 16x12; choose tiff" in errors["a.tif"]
    (event,) = restore_here(jobs_for(tmp_path, "a.tif", suffix=".tif"), writing=Writing(frames="all"))
    assert event.error is None


def test_results_of_many_frames_count_together(tmp_path, monkeypatch):
    frames = [Image.new("L", (8, 6), value) for value in (0, 90, 180)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    checked = []
    monkeypatch.setattr(Header, "check", lambda self, frames=1: checked.append((self.width, frames)))
    restore_here(jobs_for(tmp_path, "a.gif"), writing=Writing(frames="all"))
    assert (16, 3) in checked


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("height", [32, 33, 64])
def test_comparisons_at_every_height(tmp_path, suffix, height):
    """Whoever writes takes as many strips as there are, and does not ask for one more."""
    pixels = save_noise(tmp_path / "a.png", size=(9, height))
    job = Job(tmp_path / "a.png", tmp_path / f"out/a.{suffix}", tmp_path / "out/comparison/a.png")
    (event,) = restore_here([job])
    assert event.error is None
    assert job.comparison.exists()
    assert np.asarray(Image.open(job.target)).shape == (2 * height, 18, 3)
    assert pixels.shape == (height, 9, 3)


def test_the_longest_names_of_sources_become_names_of_results(tmp_path):
    names = ["a" * 251 + ".png", "e" * 248 + ".tif", "e" * 248 + ".jpg", "ü" * 125 + ".webp", "x.png"]
    for name in names:
        save_noise(tmp_path / "in" / name)
    plan = JobPlan((tmp_path / "in",), tmp_path / "out", compare=True)
    jobs = list(plan.jobs(lambda event: None))
    assert all(event.error is None for event in restore_here(jobs))
    results = {path.name for path in (tmp_path / "out").iterdir() if path.is_file()}
    assert len(results) == len(names)
    assert all(len(os.fsencode(name)) <= 255 for name in results)
    assert list(plan.jobs(lambda event: None)) == []  # all are found again
    assert len(set(output_names([tmp_path / "in" / name for name in names], "png"))) == len(names)


def test_a_file_of_another_kind_ends_nothing(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    save_noise(tmp_path / "good.png")
    errors = errors_of(restore_here(jobs_for(tmp_path, "pipe.png", "folder.png", "good.png")))
    assert errors["good.png"] is None
    assert "named pipe" in errors["pipe.png"]
    assert "folder" in errors["folder.png"]
