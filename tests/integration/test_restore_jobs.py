"""``restore`` in processes of its own, with a model, as it is run on real folders."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from models import tiny_model
from PIL import Image

from vosr.checkpoints import save_model

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/helpers'}", "OMP_NUM_THREADS": "1"}
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a small model that returns the enlarged input."""
    folder = tmp_path_factory.mktemp("model")
    save_model(tiny_model(std=0.0, scale=2), folder)
    return folder


def start(*arguments, folder):
    command = [sys.executable, str(ROOT / "main.py"), "restore", "--trust_remote_code", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=pipe, stderr=pipe, text=True)


def restore(*arguments, folder):
    process = start(*arguments, folder=folder)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def photographs(folder, count):
    folder.mkdir()
    for i in range(count):
        Image.fromarray(RNG.integers(0, 256, (24, 30, 3), dtype=np.uint8)).save(folder / f"{i:03}.png")


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_photographers_bring(tmp_path, model):
    """One folder with everything; the output says of each file what the input was."""
    (tmp_path / "in").mkdir()
    colours = RNG.integers(0, 256, (24, 30, 3), dtype=np.uint8)
    deep = RNG.integers(0, 65536, (24, 30, 3), dtype=np.uint16)
    adobe = imagecodecs.cms_profile("adobergb")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"
    image = Image.fromarray(colours)
    image.save(tmp_path / "in/turned.jpg", exif=exif)
    image.save(tmp_path / "in/wide.png", icc_profile=adobe)
    image.convert("L").save(tmp_path / "in/grey.webp")
    image.convert("L").save(tmp_path / "in/grey.png")
    image.convert("RGBA").save(tmp_path / "in/alpha.png")
    image.convert("CMYK").save(tmp_path / "in/cmyk.tif")
    image.quantize(8).save(tmp_path / "in/palette.gif")
    (tmp_path / "in/deep.png").write_bytes(imagecodecs.png_encode(deep))
    tifffile.imwrite(tmp_path / "in/deep.tif", deep, photometric="rgb")
    status, out, err = restore("in", "-o", "out", "--model", model, "--batch_size=3", folder=tmp_path)
    assert (status, err) == (0, "")
    assert "Restored 9 of 9" in out
    with Image.open(tmp_path / "out/turned.png") as turned:
        assert turned.size == (48, 60)
        assert dict(turned.getexif()) == {0x010F: "camera"}
    modes = {
        "grey_png": "L",
        "grey_webp": "RGB",
        "alpha": "RGBA",
        "cmyk": "RGB",
        "palette": "RGB",
        "wide": "RGB",
    }
    for name, mode in modes.items():
        assert Image.open(tmp_path / f"out/{name}.png").mode == mode
    assert Image.open(tmp_path / "out/wide.png").info["icc_profile"] == adobe
    expected = np.stack(
        [
            np.asarray(
                Image.fromarray(deep[..., i].astype(np.float32)).resize((60, 48), Image.Resampling.BICUBIC)
            )
            for i in range(3)
        ],
        -1,
    )
    for name in ("deep_png", "deep_tif"):
        restored = imagecodecs.png_decode((tmp_path / f"out/{name}.png").read_bytes())
        assert restored.dtype == np.uint16
        assert np.abs(restored - np.clip(expected, 0, 65535)).max() < 100
    notes = {
        Path(record["input"]).name: record["notes"] for record in records(tmp_path / "out/manifest.jsonl")
    }
    assert notes["cmyk.tif"] == ["CMYK converted to sRGB"]
    assert notes["palette.gif"] == ["palette converted to full colour"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_and_started_again(tmp_path, model, how):
    """Whenever it is stopped: only whole files, and the second run does what the first had not."""
    photographs(tmp_path / "in", 60)
    arguments = ("in", "-o", "out", "--model", model, "--workers=2")
    process = start(*arguments, folder=tmp_path)
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("out/*.png"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    done = sorted(path.name for path in tmp_path.glob("out/*.png"))
    assert 3 <= len(done) < 60
    for name in done:
        assert np.asarray(Image.open(tmp_path / "out" / name)).shape == (48, 60, 3)
    if how != signal.SIGKILL:
        assert process.returncode == 128 + how
        assert err == f"error: Interrupted after {len(done)} images; run the same command again to go on.\n"
        assert not list(tmp_path.glob("out/.*"))
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    status, out, err = restore(*arguments, folder=tmp_path)
    assert (status, err) == (0, "")
    assert f"Skipped {len(done)}" in out
    assert len(list(tmp_path.glob("out/*.png"))) == 60


def test_two_devices_and_two_machines(tmp_path, model):
    """Every image once, whether processes or machines share them; the results are those of one process."""
    photographs(tmp_path / "in", 12)
    options = ("--model", model, "--workers=0")
    assert restore("in", "-o", "one", *options, folder=tmp_path)[0] == 0
    status, out, err = restore("in", "-o", "two", *options, "--device=cpu,cpu", folder=tmp_path)
    assert (status, err) == (0, "")
    assert "Restored 12 of 12" in out
    assert len(records(tmp_path / "two/manifest.jsonl")) == 12
    for shard in ("1/2", "2/2"):
        assert restore("in", "-o", "shared", *options, f"--shard={shard}", folder=tmp_path)[0] == 0
    both = [records(tmp_path / f"shared/manifest_{i}_of_2.jsonl") for i in (1, 2)]
    assert sorted(Path(record["output"]).name for part in both for record in part) == [
        f"{i:03}.png" for i in range(12)
    ]
    for i in range(12):
        first = np.asarray(Image.open(tmp_path / f"one/{i:03}.png")).astype(int)
        for folder in ("two", "shared"):
            assert np.abs(np.asarray(Image.open(tmp_path / f"{folder}/{i:03}.png")) - first).max() <= 1


def test_a_device_that_is_not_there(tmp_path, model):
    photographs(tmp_path / "in", 2)
    for devices in ("cuda:77", "cuda:77,cuda:78"):
        status, out, err = restore(
            "in", "-o", "out", "--model", model, f"--device={devices}", folder=tmp_path
        )
        assert (status, out) == (2, "")
        assert err.count("\n") == 1
        assert err.startswith("error: Device 'cuda:7")
        assert "cannot be used here" in err
    assert not (tmp_path / "out").exists()
