"""The whole command, on a miniature folder shaped as the RealSR release."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from vosr.cli import main
from vosr.evaluation.degrading import bicubic_reduced
from vosr.evaluation.methods import Interpolation, Method

RNG = np.random.default_rng(5)


@pytest.fixture
def realsr(tmp_path):
    """Three pairs; the HQ is larger than the protocol's crop."""
    folder = tmp_path / "RealSR/Canon/Test/4"
    folder.mkdir(parents=True)
    for i in range(3):
        small = RNG.integers(0, 256, (66, 70, 3), dtype=np.uint8)
        hq = np.asarray(Image.fromarray(small).resize((560, 528), Image.Resampling.BICUBIC))
        Image.fromarray(hq).save(folder / f"Canon_{i:03}_HR.png")
        Image.fromarray(bicubic_reduced(hq, 4)).save(folder / f"Canon_{i:03}_LR4.png")
    return tmp_path / "RealSR"


@pytest.fixture
def calls(monkeypatch):
    """Samples that methods restored, in order."""
    done = []
    original = Interpolation.restore

    def restore(self, benchmark, sample):
        done.append((self.label, sample.key))
        return original(self, benchmark, sample)

    monkeypatch.setattr(Interpolation, "restore", restore)
    return done


def evaluate(realsr, out, *models, more=()):
    arguments = ["evaluate", "--model", *models, "--data", f"realsr={realsr}", "-o", str(out)]
    return main([*arguments, "--device", "cpu", *(more or ("--metrics", "psnr_y", "ssim_y", "lpips"))])


def figures(out):
    with (out / "images.csv").open() as file:
        return {(row["model"], row["image"]): row for row in csv.DictReader(file)}


def test_the_published_protocol_end_to_end(realsr, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no_weights"))
    out = tmp_path / "report"
    assert evaluate(realsr, out, "bicubic", "nearest") == 0
    shown = capsys.readouterr().out
    assert "PSNR-Y, dB" in shown
    report = json.loads((out / "report.json").read_text())
    assert report["protocols"]["realsr"]["crop"] == 512
    assert report["protocols"]["realsr"]["scale"] == 4
    assert report["environment"]["versions"]["torch"]
    assert report["methods"]["bicubic"]["dtype"] == "uint8"
    assert "stages" in report["methods"]["bicubic"]
    (table,) = report["tables"]
    assert (table["images"], table["sources"]) == (3, 3)
    rows = {row["method"]: row for row in table["rows"]}
    per_image = figures(out)
    assert len(per_image) == 6
    mean = np.mean([float(row["psnr_y"]) for (model, _), row in per_image.items() if model == "nearest"])
    assert rows["nearest"]["means"]["psnr_y"]["mean"] == pytest.approx(mean)
    difference = rows["nearest"]["differences"]["psnr_y"]
    assert difference["mean"] == pytest.approx(mean - rows["bicubic"]["means"]["psnr_y"]["mean"])
    assert (
        difference["low"] <= difference["mean"] <= difference["high"] < 0
    )  # smooth images: nearest is worse
    assert rows["bicubic"]["differences"] == {}
    with Image.open(out / "results/nearest/realsr/Canon/Test/4/Canon_000.png") as result:
        assert result.size == (512, 512)
    text = (out / "report.md").read_text()
    assert "Published figures (not measured here)" in text
    assert "| VOSR-0.5B-os | 1 | 25.42 | 0.7220 | 0.2856 | 0.2110 | 5.28 | 69.78 | 0.6347 |" in text
    assert "lpips: unavailable" in text


def test_what_is_done_is_not_done_again(realsr, tmp_path, calls, monkeypatch):
    out = tmp_path / "report"
    seen = []

    def stop_after_two(method, benchmark, sample):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(sample.key)
        return original(method, benchmark, sample)

    original = Interpolation.restore
    with monkeypatch.context() as patch:
        patch.setattr(Interpolation, "restore", stop_after_two)
        with pytest.raises(SystemExit):
            evaluate(realsr, out, "bicubic")
    with (out / "records.jsonl").open("a") as file:
        file.write('{"method": "bicubic", "finger')  # torn by a kill
    calls.clear()
    assert evaluate(realsr, out, "bicubic") == 0
    assert calls == [("bicubic", "Canon/Test/4/Canon_002")]
    before = figures(out)
    assert (
        evaluate(realsr, out, "bicubic", "lanczos", more=("--metrics", "psnr_y", "ssim_y", "psnr_rgb")) == 0
    )
    assert [method for method, _ in calls[1:]] == ["lanczos"] * 3  # a new metric needs no new result
    after = figures(out)
    for key, row in before.items():
        assert after[key]["psnr_y"] == row["psnr_y"]
        assert float(after[key]["psnr_rgb"]) > 0


def test_shards_together_are_the_whole(realsr, tmp_path, calls, capsys):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    evaluate(realsr, whole, "bicubic")
    done = calls.copy()
    calls.clear()
    for i in (1, 2, 3):
        evaluate(realsr, parts, "bicubic", more=("--metrics", "psnr_y", "ssim_y", "--shard", f"{i}/3"))
    assert sorted(calls) == sorted(done)
    timings = ("seconds", "mib", "checks_failed")
    strip = [
        {k: v for k, v in row.items() if k not in timings and k != "lpips"} for row in figures(whole).values()
    ]
    assert [{k: v for k, v in row.items() if k not in timings} for row in figures(parts).values()] == strip
    assert "not there yet" not in (parts / "report.md").read_text()


def test_an_unfinished_report_says_so(realsr, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")  # holds two of the three names
    evaluate(realsr, tmp_path / "report", "bicubic")
    assert len(figures(tmp_path / "report")) == 2
    assert "1 result of realsr not there yet" in (tmp_path / "report/report.md").read_text()


def test_results_of_another_tool_beside_ours(realsr, tmp_path):
    out = tmp_path / "report"
    evaluate(realsr, out, "bicubic")
    tool = tmp_path / "my tool"
    for path in (out / "inputs").rglob("*.png"):
        with Image.open(path) as lq:
            target = tool / f"{path.stem}_out.png"
            target.parent.mkdir(exist_ok=True)
            lq.resize((512, 512), Image.Resampling.BICUBIC).save(target)
    assert evaluate(realsr, out, "bicubic", str(tool)) == 0
    report = json.loads((out / "report.json").read_text())
    row = report["tables"][0]["rows"][1]
    assert row["method"] == "my tool"
    assert row["differences"]["psnr_y"]["mean"] == 0
    assert row["seconds"] is None
    other = tmp_path / "other"  # a benchmark that the tool has no results of
    other.mkdir()
    Image.new("RGB", (8, 8)).save(other / "x.png")
    arguments = [
        "--data",
        f"realsr={realsr}",
        str(other),
        "-o",
        str(out),
        "--metrics",
        "psnr_y",
        "consistency",
    ]
    assert main(["evaluate", "--model", "bicubic", str(tool), *arguments, "--device", "cpu"]) == 0
    tables = json.loads((out / "report.json").read_text())["tables"]
    assert [[row["method"] for row in table["rows"]] for table in tables] == [
        ["bicubic", "my tool"],
        ["bicubic"],
    ]
    with pytest.raises(SystemExit):
        main(["evaluate", "--model", str(tool), "--data", str(other), "-o", str(out)])


def test_a_damaged_image_is_left_out_and_told(realsr, tmp_path, capsys):
    path = realsr / "Canon/Test/4/Canon_001_LR4.png"
    path.write_bytes(path.read_bytes()[:200])
    assert evaluate(realsr, tmp_path / "report", "bicubic") == 1
    assert "Canon_001 is left out" in capsys.readouterr().out
    assert len(figures(tmp_path / "report")) == 2


def test_unpaired_images_have_metrics_without_reference(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    Image.fromarray(RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(folder / "a.png")
    arguments = [
        "--data",
        str(folder),
        "-o",
        str(tmp_path / "report"),
        "--metrics",
        "psnr_y",
        "niqe",
        "consistency",
    ]
    assert main(["evaluate", "--model", "bicubic", *arguments, "--device", "cpu"]) == 0
    (table,) = json.loads((tmp_path / "report/report.json").read_text())["tables"]
    assert table["metrics"] == ["niqe", "consistency"]


def test_a_shipped_model_is_measured(tmp_path):
    folder = tmp_path / "mine"
    for name, size in (("HR", 64), ("LR", 16)):
        (folder / name).mkdir(parents=True)
        Image.new("RGB", (size, size), (90, 120, 150)).save(folder / name / "a.png")
    arguments = [
        "--data",
        str(folder),
        "-o",
        str(tmp_path / "report"),
        "--metrics",
        "psnr_y",
        "--device",
        "cpu",
    ]
    assert main(["evaluate", "--model", "bicubic", "vosr_small_student", *arguments]) == 0
    report = json.loads((tmp_path / "report/report.json").read_text())
    row = report["tables"][0]["rows"][1]
    assert row["parameters"] == report["methods"]["vosr_small_student"]["parameters"] > 10**6
    assert row["seconds"] > 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--model", "bicubic", "--data", "realsr"], "no images at"),
        (["--model", "bicubc"], "No model 'bicubc'"),
        (["--model", "bicubic", "--metrics", "psnr"], "Did you mean"),
        (["--model", "bicubic", "--shard", "3/2"], "shard must be i/n"),
    ],
)
def test_mistakes_are_one_sentence(arguments, reason, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", *arguments, "-o", str(tmp_path / "report")])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert reason in message
    assert message.count("\n") == 1
    assert not (tmp_path / "report").exists()


def test_methods_say_what_was_timed():
    assert Method.timed
    assert "no files" in str(Interpolation("bicubic").open()["stages"])
