"""Reading ahead, batches, writing behind: every image comes to its end, good or bad, in bounded memory."""

import json
import os
import signal
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from engines import MARK, Doubler, restore_here, save_noise
from PIL import Image

from vosr.core.pool import Pool
from vosr.imaging.writing import Encoding
from vosr.inference import Settings
from vosr.jobs import files, pipeline
from vosr.jobs.batches import Batches
from vosr.jobs.files import Writing
from vosr.jobs.job import Done, Job, OutputError
from vosr.jobs.manifest import Manifest


def jobs_for(folder, *names, suffix=".png"):
    return [Job(folder / name, folder / "out" / f"{name}{suffix}") for name in names]


@pytest.mark.parametrize("workers", [0, 2])
def test_good_and_bad_images(tmp_path, workers):
    """One of each kind of failure among good ones; the good ones are all there and exact."""
    pixels = [save_noise(tmp_path / f"{i}.png", seed=i) for i in range(5)]
    save_noise(tmp_path / "unlucky.png", size=(13, 6))
    save_noise(tmp_path / "heavy.png", first=MARK)
    (tmp_path / "broken.png").write_bytes(b"no image")
    names = [
        "0.png",
        "broken.png",
        "1.png",
        "heavy.png",
        "2.png",
        "unlucky.png",
        "3.png",
        "4.png",
        "absent.png",
    ]
    jobs = jobs_for(tmp_path, *names)
    events = restore_here(jobs, batch_size=2, workers=workers)
    errors = {event.job.source.name: event.error for event in events}
    assert set(errors) == set(names)
    assert {name for name, error in errors.items() if error is None} == {f"{i}.png" for i in range(5)}
    assert "not an image" in errors["broken.png"]
    assert "no such file" in errors["absent.png"]
    assert "unlucky" in errors["unlucky.png"]
    assert "Cannot restore" in errors["heavy.png"]
    assert "smaller tile" in errors["heavy.png"]
    for i in range(5):
        restored = np.asarray(Image.open(tmp_path / f"out/{i}.png.png"))
        assert np.array_equal(restored, pixels[i].repeat(2, 0).repeat(2, 1))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{i}.png.png" for i in range(5)]


def test_images_of_one_size_share_batches(tmp_path):
    sizes = [(8, 6), (6, 8), (8, 6), (8, 6), (6, 8), (8, 6), (5, 5)]
    for i, size in enumerate(sizes):
        save_noise(tmp_path / f"{i}.png", size=size)
    restorer = Doubler()
    restore_here(jobs_for(tmp_path, *(f"{i}.png" for i in range(7))), restorer, batch_size=2)
    assert sorted(restorer.batches) == [1, 2, 2, 2]


def test_batches_do_not_wait_for_ever():
    batches, out = Batches(4), []
    for i in range(100):
        out += batches.add(i % 33, i)
        assert i + 1 - sum(map(len, out)) <= 12
    out += batches.rest()
    assert sorted(item for batch in out for item in batch) == list(range(100))
    assert all(len({item % 33 for item in batch}) == 1 for batch in out)


def test_files_are_read_only_a_little_ahead(tmp_path):
    """Listing, reading and restoring go hand in hand: nothing grows with the number of images."""
    save_noise(tmp_path / "a.png")
    taken, restorer = [], Doubler()

    def endless():
        for i in range(300):
            taken.append(i)
            assert i - sum(restorer.batches) <= 20
            yield Job(tmp_path / "a.png", tmp_path / f"out/{i}.png")

    events = restore_here(endless(), restorer, batch_size=4)
    assert len(events) == len(taken) == 300


def test_large_images_are_read_late_and_written_in_strips(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "HELD", 100)
    monkeypatch.setattr(files, "LARGE", 100)
    pixels = save_noise(tmp_path / "large.png", size=(20, 30))
    save_noise(tmp_path / "small.png", size=(4, 4))
    for suffix in (".tif", ".png", ".jpg"):
        restorer = Doubler()
        events = restore_here(jobs_for(tmp_path, "large.png", "small.png", suffix=suffix), restorer)
        assert [event.error for event in events] == [None, None]
        assert restorer.streamed == 1
        restored = np.asarray(Image.open(tmp_path / f"out/large.png{suffix}"))
        assert restored.shape == (60, 40, 3)
        assert suffix == ".jpg" or np.array_equal(restored, pixels.repeat(2, 0).repeat(2, 1))


def test_all_frames_of_a_file(tmp_path):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[50, 60, 70])
    (event,) = restore_here(jobs_for(tmp_path, "a.gif"))
    assert "first of 3 images in the file" in event.notes
    job = jobs_for(tmp_path, "a.gif", suffix=".webp")
    (event,) = restore_here(job, writing=Writing(Encoding(quality=100), "all"))
    assert "all 3 images of the file" in event.notes
    with Image.open(tmp_path / "out/a.gif.webp") as animation:
        assert (animation.n_frames, animation.size) == (3, (16, 12))
    (event,) = restore_here(jobs_for(tmp_path, "a.gif", suffix=".jpg"), writing=Writing(frames="all"))
    assert "one image only" in event.error


def test_a_format_that_cannot_hold_the_result_is_told_before_restoring(tmp_path):
    save_noise(tmp_path / "long.png", size=(9000, 1))
    restorer = Doubler()
    (event,) = restore_here(jobs_for(tmp_path, "long.png", suffix=".webp"), restorer)
    assert "WEBP holds at most 16383 pixels" in event.error
    assert restorer.batches == []


def test_what_was_restored_before_an_interrupt_is_written(tmp_path):
    for i in range(6):
        save_noise(tmp_path / f"{i}.png", seed=i)

    class Interrupted(Doubler):
        def restore_batch(self, images, settings):
            if len(self.batches) == 3:
                raise KeyboardInterrupt
            return super().restore_batch(images, settings)

    events = []
    with pytest.raises(KeyboardInterrupt):
        pipeline.restore_all(
            jobs_for(tmp_path, *(f"{i}.png" for i in range(6))),
            Interrupted(),
            Settings(),
            Writing(),
            events.append,
            workers=1,
        )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "0.png.png",
        "1.png.png",
        "2.png.png",
    ]
    assert [event.job.source.name for event in events] == ["0.png", "1.png", "2.png"]


def test_nothing_more_can_be_written(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_photo", full)
    save_noise(tmp_path / "a.png")
    restorer, events = Doubler(), []
    jobs = jobs_for(tmp_path, *["a.png"] * 10)
    with pytest.raises(OutputError, match="no space left"):
        pipeline.restore_all(jobs, restorer, Settings(), Writing(), events.append)
    assert len(restorer.batches) < 5
    assert all("no space left" in event.error for event in events)


def suicide(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_worker_that_dies_takes_no_other_image_with_it():
    pool = Pool(2)
    tasks = [pool.submit(suicide, number) for number in range(6)]
    with pytest.raises(ValueError, match="died"):
        pool.result(tasks[3])
    results = [pool.result(task) for task in tasks if task is not tasks[3]]
    tasks = [pool.submit(suicide, number) for number in range(2)]
    results += [pool.result(task) for task in tasks]
    pool.close()
    assert results == [0, 1, 2, 4, 5, 0, 1]


def test_manifest(tmp_path):
    path = tmp_path / "out/manifest.jsonl"
    done = Done(Job(tmp_path / "a.png", tmp_path / "out/a.png"), 0.25, size=(4, 6), notes=("note",))
    with Manifest(path) as manifest:
        manifest.begin({"scale": 2, "tile": None})
        assert not path.exists()
        manifest.add(done)
        assert not manifest.other_settings()
    with path.open("a") as file:
        file.write('{"torn')  # as by a kill
    with Manifest(path) as manifest:
        manifest.begin({"scale": 4, "tile": None})
        assert manifest.other_settings()
        manifest.add(Done(done.job, error="Cannot read it."))
    lines = path.read_text().splitlines()
    assert lines[1] == '{"torn'
    first, last = json.loads(lines[0]), json.loads(lines[2])
    assert (first["input"], first["output"]) == (str(tmp_path / "a.png"), str(tmp_path / "out/a.png"))
    assert (first["status"], first["seconds"], first["size"], first["notes"]) == (
        "restored",
        0.25,
        [4, 6],
        ["note"],
    )
    assert (last["status"], last["error"], last["settings"]["scale"]) == ("failed", "Cannot read it.", 4)
    Manifest(None).add(done)


def test_the_manifest_tells_of_what_a_killed_run_had_written(tmp_path):
    path = tmp_path / "out/manifest.jsonl"
    jobs = [Job(tmp_path / f"{name}.png", tmp_path / f"out/{name}.png") for name in "abc"]
    with Manifest(path) as manifest:
        manifest.begin({"scale": 2})
        manifest.found(jobs)  # a first run knows nothing of what was there before
        assert not path.exists()
        manifest.add(Done(jobs[0]))
    with Manifest(path) as manifest:
        manifest.begin({"scale": 4})
        for _ in range(2):
            manifest.found(jobs[:2])
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert (first["output"], second["output"]) == (str(jobs[0].target), str(jobs[1].target))
    assert (second["status"], second["settings"]) == ("restored", {"scale": 2})
    assert "there already" in second["notes"][0]


def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    save_noise(tmp_path / "a.png", size=(200, 150))

    def peak(number):
        tracemalloc.start()
        pipeline.restore_all(
            (Job(tmp_path / "a.png", tmp_path / "out" / f"{i}.bmp") for i in range(number)),
            Doubler(),
            Settings(),
            Writing(),
            lambda event: None,
            batch_size=2,
        )
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(5)  # imports and caches
    assert peak(200) < 1.3 * peak(20)


def test_workers_need_no_torch():
    """It would cost each of them seconds and hundreds of megabytes."""
    code = "import sys, vosr.jobs.files, vosr.core.pool; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
