"""``restore`` and ``shards`` on a Ray that is started here, with two workers; one of them is killed."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from doubles import SlowEncoder
from models import tiny_model
from PIL import Image

from vosr.checkpoints import save_model

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/helpers'}", "OMP_NUM_THREADS": "1"}
ENVIRONMENT |= {"RAY_raylet_start_wait_time_s": "600"}  # on a machine that others share
RAY = ("--engine", "ray", "--ray_workers", "2")
COUNT = 24
STARTED = []

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: vosr[ray]"),
]


@pytest.fixture
def folder(tmp_path):
    """Photographs, and a model that takes its time and returns the enlarged input."""
    (tmp_path / "in").mkdir()
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 24, 30, 3), dtype=np.uint8)
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "in" / f"{number:03}.png")
    save_model(tiny_model(std=0.0, scale=2, encoder=SlowEncoder()), tmp_path / "model")
    yield tmp_path
    for process in STARTED:
        process.kill()  # Ray's own processes end with it
    STARTED.clear()


def start(*arguments, folder):
    command = [sys.executable, str(ROOT / "main.py"), *map(str, arguments)]
    mark = ENVIRONMENT | {"VOSR_TEST_RAY": str(folder)}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=folder, env=mark, stdout=pipe, stderr=pipe, text=True)
    STARTED.append(process)
    return process


def actors(folder):
    """Process ids of the actors that this test's command has started."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "cmdline").read_bytes()
            ours = f"VOSR_TEST_RAY={folder}".encode() in (process / "environ").read_bytes()
        except OSError:  # it has ended
            continue
        if name.startswith(b"ray::") and b"RestoringActor" in name and ours:
            found.append(int(process.name))
    return found


def finish(process):
    out, err = process.communicate(timeout=900)
    return process.returncode, out, err


def records(folder):
    return [json.loads(line) for line in (folder / "out/manifest.jsonl").read_text().splitlines()]


def state(folder):
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in (folder / "out").glob("*.png")}


RESTORE = ("restore", "in", "-o", "out", "--model", "./model", "--trust_remote_code", *RAY)


def test_a_killed_actors_work_is_done_again_and_nothing_twice(folder):
    process = start(*RESTORE, folder=folder)
    deadline = time.monotonic() + 900
    while len(state(folder)) < 4 or len(actors(folder)) < 2:
        assert process.poll() is None, finish(process)
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(actors(folder)[0], signal.SIGKILL)
    before = state(folder)
    assert 4 <= len(before) < COUNT
    status, out, err = finish(process)
    assert (status, f"Restored {COUNT} of {COUNT}" in out) == (0, True), (out, err)
    lines = records(folder)
    names = sorted(Path(line["output"]).name for line in lines)
    assert names == [f"{number:03}.png" for number in range(COUNT)]  # each once
    assert {line["status"] for line in lines} == {"restored"}
    assert {line["settings"]["scale"] for line in lines} == {2}
    after = state(folder)
    assert {name: after[name] for name in before} == before
    with Image.open(folder / "out/000.png") as restored:
        assert restored.size == (60, 48)
    again = finish(start(*RESTORE, folder=folder))
    assert again[0] == 0
    assert len(records(folder)) == COUNT


def test_results_are_those_of_one_machine(folder):
    damaged = folder / "in/005.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    assert finish(start(*RESTORE, folder=folder))[0] == 1
    local = [*RESTORE[:2], "-o", "alone", *RESTORE[4:7]]
    assert finish(start(*local, folder=folder))[0] == 1
    for path in (folder / "alone").glob("*.png"):
        assert (folder / "out" / path.name).read_bytes() == path.read_bytes()
    errors = [
        sorted((Path(r["input"]).name, r["error"]) for r in map(json.loads, lines.splitlines()) if r["error"])
        for lines in ((folder / place / "manifest.jsonl").read_text() for place in ("out", "alone"))
    ]
    assert errors[0] == errors[1] != []


def test_mistakes_are_sentences(folder):
    status, _, err = finish(start(*RESTORE, "--ray_address=127.0.0.1:1", folder=folder))
    assert (status, err.startswith("error: No Ray cluster at 127.0.0.1:1: ")) == (2, True), err
    (folder / "model/config.json").unlink()
    status, _, err = finish(start(*RESTORE, folder=folder))
    assert status == 2
    assert err.splitlines()[-1].startswith("error: ./model holds no model")  # Ray's own log may stand above
    assert "Traceback" not in err


def test_shards_are_packed_by_parts_under_one_index(folder):
    status, _, err = finish(start("shards", "in", "-o", "packed", *RAY, folder=folder))
    assert status == 0, err
    index = json.loads((folder / "packed/index.json").read_text())
    assert index["inputs"] == COUNT
    assert sum(shard["samples"] for shard in index["shards"]) == COUNT
    assert not list((folder / "packed").glob("part-*"))
