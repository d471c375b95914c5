"""``restore`` as users type it, on a stand-in for the model: what is said, what is written, which status."""

import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from engines import MARK, Doubler, save_noise
from PIL import Image

from vosr.cli import main
from vosr.cli.progress import Display
from vosr.jobs.plan import JobPlan
from vosr.jobs.recipe import Recipe


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in, with a model that doubles pixels."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Recipe, "open", lambda recipe, device: Doubler())
    return tmp_path


def restore(*arguments, capfd):
    """Status, standard output and standard error."""
    try:
        status = main(["restore", *map(str, arguments), "--workers=0"])
    except SystemExit as stopped:
        status = stopped.code
    return status, *capfd.readouterr()


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_folder_and_again(here, capfd):
    for i, name in enumerate(("a.jpg", "a.png", "sub/b.png")):
        save_noise(here / "in" / name, seed=i)
    (here / "in/broken.png").write_bytes(b"no image")
    status, out, err = restore("in", "-o", "out", capfd=capfd)
    assert status == 1
    assert "Restored 3 of 4 images" in out
    assert err == "error: Cannot read in/broken.png: it is not an image in a known format.\n"
    assert files(here / "out") == ["a_jpg.png", "a_png.png", "manifest.jsonl", "sub/b.png"]
    lines = [json.loads(line) for line in (here / "out/manifest.jsonl").read_text().splitlines()]
    assert {Path(line["input"]).name: line["status"] for line in lines} == {
        "a.jpg": "restored",
        "a.png": "restored",
        "b.png": "restored",
        "broken.png": "failed",
    }
    assert all(
        line["settings"].items() >= {"model": "vosr_small_student", "scale": 2, "quality": 95}.items()
        for line in lines
    )
    before = (here / "out/sub/b.png").stat().st_mtime_ns
    (here / "in/broken.png").unlink()
    (here / "in/raw.NEF").write_bytes(b"raw")
    status, out, err = restore("in", "-o", "out", capfd=capfd)
    assert (status, err) == (0, "")
    assert out == (
        "Skipped 3 that exist in out; --skip_existing=false restores them again.\n"
        "Passed over 1 .nef (such as raw.NEF): formats that are not read.\n"
    )
    assert (here / "out/sub/b.png").stat().st_mtime_ns == before
    status, out, err = restore("in", "-o", "out", "--skip-existing=false", "--quality=90", capfd=capfd)
    assert (status, "Restored 3 of 3" in out) == (0, True)
    assert "with other settings" not in out
    assert "with other settings" in restore("in", "-o", "out", capfd=capfd)[1]


def test_one_image(here, capfd):
    pixels = save_noise(here / "a.png")
    for arguments, target in [
        ([], "restored/a.png"),
        (["-o", "x.tif"], "x.tif"),
        (["-o", "new/x.jpg", "--quality=50"], "new/x.jpg"),
        (["--format=webp", "--quality=100"], "restored/a.webp"),
        (["--format=same", "-o", "kept"], "kept/a.png"),
    ]:
        status, out, err = restore("a.png", *arguments, capfd=capfd)
        assert (status, err) == (0, "")
        assert out.startswith("Restored 1 of 1 images in")
        assert out.endswith(f": {target}\n")
        restored = np.asarray(Image.open(here / target))
        assert restored.shape == (12, 16, 3)
        assert target.endswith("jpg") or np.array_equal(restored, pixels.repeat(2, 0).repeat(2, 1))
    assert not list(here.rglob("*.jsonl"))


def test_jpeg_in_is_png_out_unless_asked(here, capfd):
    save_noise(here / "in/a.jpg")
    restore("in", "-o", "out", capfd=capfd)
    restore("in", "-o", "same", "--format=same", capfd=capfd)
    assert (files(here / "out"), files(here / "same")) == (
        ["a.png", "manifest.jsonl"],
        ["a.jpg", "manifest.jsonl"],
    )


def test_notes_are_summed_up(here, capfd):
    for name in ("a.tif", "b.tif"):
        Image.new("CMYK", (4, 4)).save(here / name)
    _, out, _ = restore("a.tif", "b.tif", "-o", "out", capfd=capfd)
    assert "Note: CMYK converted to sRGB (2 images)" in out


def test_quiet(here, capfd):
    save_noise(here / "in/a.png")
    assert restore("in", "-o", "out", "--quiet", capfd=capfd) == (0, "", "")


def test_many_errors_are_cut_short(here, capfd):
    save_noise(here / "in/good.png")
    for i in range(30):
        (here / f"in/{i:02}.png").write_bytes(b"x")
    status, _, err = restore("in", "-o", "out", capfd=capfd)
    assert (status, err.count("\n")) == (1, 21)
    assert err.endswith("error: 10 more images failed; out/manifest.jsonl names them.\n")


def test_nothing_could_be_done(here, capfd):
    save_noise(here / "in/a.png", first=MARK)
    status, out, err = restore("in/a.png", capfd=capfd)
    assert (status, out) == (2, "")
    assert err == "error: Cannot restore in/a.png: the device is out of memory; set a smaller tile.\n"
    assert not (here / "restored").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in/a.png", "-o", "in/a.png"], "would overwrite itself"),
        (["in", "-o", "in"], "holds the images themselves"),
        (["in", "-o", "out.png"], "give a folder"),
        (["in", "-o", "in/a.png/out"], "in/a.png is a file; give a folder"),
        (["in/a.png", "-o", "/proc/no/a.png"], "Cannot write /proc/no/a.png: No such file or directory"),
        (["in", "--shard=3/2"], "i/n with i from 1 to n"),
        (["in", "--batch_size=0"], "batch_size must be at least 1"),
        (["in", "--quality=101"], "quality must lie in 1..100"),
        (["in/a.png", "-o", "x.jpg", "--format=png"], "not named as a png file"),
        (["in", "--format=gif"], "png"),
        (["nowhere"], "No file or folder nowhere"),
    ],
)
def test_refusals(here, capfd, arguments, message):
    save_noise(here / "in/a.png")
    status, out, err = restore(*arguments, capfd=capfd)
    assert (status, out) == (2, "")
    assert message in err
    assert files(here) == ["in/a.png"]
    assert not (here / "restored").exists()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a small file system cannot be mounted here: {error}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("form", ["png", "tiff", "jpeg", "webp", "bmp"])
def test_disk_full(here, small_disk, capfd, form):
    """An image fits, the next does not: one clear sentence, an end, and nothing half-written."""
    save_noise(here / "in/0.png", size=(8, 8))
    for i in range(1, 6):
        save_noise(here / f"in/{i}.png", size=(200, 200), seed=i)
    arguments = ["in", "-o", small_disk, f"--format={form}", "--manifest=manifest.jsonl", "--quality=100"]
    status, out, err = restore(*arguments, capfd=capfd)
    assert status == 1
    assert "Restored 1 of 2" in out
    first, second = err.splitlines()
    assert first.startswith("error: Cannot write")
    assert first.endswith("no space left on the device.")
    assert second == "error: Stopped, as nothing more can be written; run the same command again to go on."
    assert [Path(name).stem for name in files(small_disk)] == ["0"]
    assert len(files(here / "in")) == 6


def test_a_read_only_file_system_is_refused_before_anything_is_restored(here, small_disk, capfd):
    save_noise(here / "a.png")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    status, _, err = restore("a.png", "-o", small_disk / "out", capfd=capfd)
    assert (status, err) == (2, f"error: No permission to write in {small_disk}; choose another output.\n")


@pytest.mark.parametrize("sigint", [signal.default_int_handler, signal.SIG_IGN])
def test_sigterm_is_an_interrupt(here, capfd, monkeypatch, sigint):
    """Schedulers stop a job by it, also one that a script started with & (which ignores SIGINT); the rest is left."""
    monkeypatch.setattr(signal, "default_int_handler", signal.signal(signal.SIGINT, sigint))
    for i in range(5):
        save_noise(here / f"in/{i}.png", seed=i)

    class Preempted(Doubler):
        def restore_batch(self, images, settings):
            if len(self.batches) == 2:
                os.kill(os.getpid(), 15)
            return super().restore_batch(images, settings)

    monkeypatch.setattr(Recipe, "open", lambda recipe, device: Preempted())
    status, _, err = restore("in", "-o", "out", capfd=capfd)
    assert (status, err) == (
        143,
        "error: Interrupted after 2 images; run the same command again to go on.\n",
    )
    signal.signal(signal.SIGINT, signal.default_int_handler)
    assert files(here / "out") == ["0.png", "1.png", "manifest.jsonl"]
    monkeypatch.setattr(Recipe, "open", lambda recipe, device: Doubler())
    status, out, _ = restore("in", "-o", "out", capfd=capfd)
    assert (status, "Restored 3 of 3" in out, "Skipped 2" in out) == (0, True, True)


def test_compare(here, capfd):
    """Images and pages beside the results; what lacks its comparison is not finished."""
    for name in ("a.png", "sub/b.jpg"):
        save_noise(here / "in" / name)
    restore("in", "-o", "out", capfd=capfd)
    status, out, _ = restore("in", "-o", "out", "--compare", capfd=capfd)
    assert (status, "Restored 2 of 2" in out, "Compare: out/comparison/index.html" in out) == (0, True, True)
    page = (here / "out/comparison/index.html").read_text("utf-8")
    assert page.count("<figure>") == 2
    assert Image.open(here / "out/comparison/sub/b.png.png").width > 100
    assert "Skipped 2" in restore("in", "-o", "out", "--compare", capfd=capfd)[1]
    restore("in/a.png", "-o", "x.png", "--compare", capfd=capfd)
    assert (here / "comparison/x.png.png").is_file()


def test_one_image_shows_its_stages(here, capfd, monkeypatch):
    display = Display(JobPlan((here / "a.png",), here / "b.png"), quiet=False)
    monkeypatch.setattr("vosr.cli.progress._EVERY", -1.0)
    display.stage("encode", 0, 1)
    display.stage("backbone", 3, 25)
    assert capfd.readouterr().err == "encode\nbackbone 3/25\n"
    assert display._progress.tasks[0].description == "backbone"
    assert (display._progress.tasks[0].completed, display._progress.tasks[0].total) == (3, 25)


def test_timings_need_one_device(here, capfd):
    save_noise(here / "a.png")
    status, _, err = restore("a.png", "--timings", "--device=cpu,cpu", capfd=capfd)
    assert (status, err) == (
        2,
        "error: --timings reports the stages of one device; give --device one name.\n",
    )


def test_names_are_shown_as_text(here, capfd):
    """Markup, emoji codes, escape sequences and bytes that are no UTF-8, in messages and after the work."""
    for i, name in enumerate(("[red]a[/red][/].png", ":smile:.png", os.fsdecode(b"\xff\xe9.png"))):
        save_noise(here / "in" / name, seed=i)
    (here / "in/\x1b[31m.png").write_bytes(b"no image")
    status, out, err = restore("in", "-o", "[bold]:cat: o", capfd=capfd)
    assert status == 1
    assert "Restored 3 of 4" in out
    assert "[bold]:cat: o" in out
    assert "Cannot read in/\\x1b[31m.png" in err
    assert "\x1b" not in out + err
    assert len(files(here / "[bold]:cat: o")) == 4
    lines = (here / "[bold]:cat: o/manifest.jsonl").read_text().splitlines()
    assert any(json.loads(line)["input"] == str(here / "in" / os.fsdecode(b"\xff\xe9.png")) for line in lines)
    name = os.fsdecode(b"in/\xff\xe9.png")
    status, out, err = restore(name, "-o", os.fsdecode(b"\xfe.png"), capfd=capfd)
    assert (status, err) == (0, "")
    assert out.endswith(": \\xfe.png\n")
