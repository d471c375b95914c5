"""A miniature ablation, interrupted and continued; validation metrics and the best checkpoint by name."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from jobs import CONFIG
from PIL import Image

from vosr.cli import ablate, main
from vosr.evaluation.degrading import bicubic_reduced
from vosr.training import TeacherModule

TRAINING = {
    "model": {
        "class_path": "vosr.training.TeacherModule",
        "init_args": {
            "autoencoder": "pixel_shuffle",
            "encoder": "none",
            "backbone": {"class_path": "conv_unet", "init_args": {"widths": [4], "blocks": [1]}},
            "guidance": "none",
            "objective": "flow_matching",
            "degradation": {"class_path": "low_resolution", "init_args": {"scales": [4]}},
            "sampling": {"steps": 1},
            "training_size": 16,
            "color_fix": "none",
        },
    },
    "data": {"class_path": "doubles.ImageData", "init_args": {"count": 16}},
    "trainer": {
        **{key: value for key, value in CONFIG["trainer"].items() if key != "logger"},
        "max_steps": 4,
        "val_check_interval": 2,
        "check_val_every_n_epoch": None,
    },
    "checkpoint": {"every_n_train_steps": 2},
}
GRID = {
    "fit": ["--config=training.yaml", "--seed_everything=0"],
    "variants": {
        "none": ["--model.guidance=none"],
        "restoration": ["--model.guidance=restoration", "--model.init_from={none}"],
    },
    "compare": ["{none},label=none", "{restoration},label=restoration"],
    "data": ["pairs"],
    "metrics": ["psnr_y"],
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a grid and two pairs; commands run in this process."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "training.yaml").write_text(yaml.safe_dump(TRAINING))
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(GRID))
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        hq = np.asarray(Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((64, 64)))
        for side, image in (("HR", hq), ("LR", bicubic_reduced(hq, 4))):
            (tmp_path / "pairs" / side).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(tmp_path / "pairs" / side / f"{name}.png")

    def run(command, check):
        try:
            return SimpleNamespace(returncode=main(command[len(ablate.COMMAND) :]) or 0)
        except RuntimeError:
            return SimpleNamespace(returncode=1)

    monkeypatch.setattr(ablate, "subprocess", SimpleNamespace(run=run))
    return tmp_path


def test_an_interrupted_ablation_goes_on_where_it_was(project, monkeypatch):
    command = ["ablate", "--config", "grid.yaml", "-o", "out"]
    trained, step = [], TeacherModule.training_step

    def stops_once(self, batch, batch_idx):
        trained.append((type(self.guidance).__name__, self.global_step))
        if trained.count(("RestorationGuidance", 3)) == 1:
            raise RuntimeError("power cut")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TeacherModule, "training_step", stops_once)
    with pytest.raises(SystemExit):
        main(command)
    assert not (project / "out/report").exists()
    assert main(command) == 0
    whole = [(name, i) for name in ("NoGuidance", "RestorationGuidance") for i in range(4)]
    assert trained == [*whole, ("RestorationGuidance", 3)]  # nothing that a checkpoint holds is trained again
    assert [path.name for path in (project / "out/runs/restoration").glob("[0-9]*")] == ["001"]
    report = json.loads((project / "out/report/report.json").read_text())
    (table,) = report["tables"]
    assert [row["method"] for row in table["rows"]] == ["none", "restoration"]
    difference = table["rows"][1]["differences"]["psnr_y"]
    assert difference["low"] <= difference["mean"] <= difference["high"]
    digests = {method["digest"] for method in report["methods"].values()}
    assert len(digests) == 2  # the second was trained on from the first
    seen = len(trained)
    assert main(command) == 0
    assert len(trained) == seen


def test_validation_metrics_and_the_best_checkpoint_by_name(project):
    fit = ["fit", "--config=training.yaml"]
    assert main([*fit, "--validation.metrics=[ssim_y]", "--best.metric=psnr_rgb"]) == 0
    run = project / "runs/run/001"
    with (run / "metrics/version_0/metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row.get("val/psnr_rgb")]
    assert len(rows) == 2
    logged = {name for name in rows[0] if name.startswith("val/")}
    assert logged == {"val/ssim_y", "val/ssim_y_input", "val/psnr_rgb", "val/psnr_rgb_input"}
    best = max(rows, key=lambda row: float(row["val/psnr_rgb"]))
    (checkpoint,) = (run / "checkpoints/best").glob("*.ckpt")
    assert checkpoint.name == f"psnr_rgb_step_{int(best['step']) + 1:07d}.ckpt"


@pytest.mark.parametrize("option", ["--validation.metrics=[psnr_yy]", "--best.metric=psnr_yy"])
def test_a_metric_that_is_none_is_one_sentence(project, option, capfd):
    with pytest.raises(SystemExit) as stopped:
        main(["fit", "--config=training.yaml", option])
    assert stopped.value.code == 2
    message = capfd.readouterr().err
    assert "psnr_yy" in message
    assert "psnr_y" in message.replace("psnr_yy", "")
    assert message.strip().count("\n") == 0
    assert not (project / "runs").exists()
