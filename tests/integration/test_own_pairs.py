"""A shipped student finetuned on a user's own pairs, as docs/own_photographs.md says."""

import csv

import numpy as np
import pytest
from PIL import Image

from vosr.cli import main


@pytest.fixture
def pairs(tmp_path):
    """Scenes, and the same with less contrast: nothing that the shipped student would undo."""
    rng = np.random.default_rng(0)
    for kind in ("hq", "lq"):
        (tmp_path / "pairs" / kind).mkdir(parents=True)
    for number in range(8):
        coarse = Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8))
        scene = np.asarray(coarse.resize((96, 96), Image.Resampling.BICUBIC), np.float32)
        for kind, image in (("hq", scene), ("lq", 128 + (scene - 128) * 0.6)):
            Image.fromarray(image.round().astype(np.uint8)).save(tmp_path / f"pairs/{kind}/{number}.png")
    return tmp_path / "pairs"


def error(folder, pairs):
    restored, hq = (
        np.asarray(Image.open(path), np.float32) for path in (folder / "0.png", pairs / "hq/0.png")
    )
    return float(np.abs(restored - hq).mean())


def test_it_learns_what_the_pairs_show(pairs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status = main(
        [
            *("fit", "--config", "distill", "--data.train=pairs/hq", "--data.lq=pairs/lq", "--name=tuned"),
            *("--model.init_from=vosr_small_student", "--model.objective_weight=0", "--model.ema_decay=0.5"),
            *("--data.validation=data_pipelines.PairedFolders", "--data.validation.lq=pairs/lq"),
            *("--data.validation.hq=pairs/hq", "--data.batch_size=4", "--data.crop_size=64"),
            *("--data.num_workers=0", "--model.optimizer.lr=1e-3", "--trainer.max_steps=24"),
            *("--trainer.val_check_interval=24", "--trainer.callbacks=null", "--trainer.log_every_n_steps=1"),
            *("--trainer.precision=32-true", "--trainer.accelerator=cpu"),
        ]
    )
    assert status == 0
    rows = list(csv.DictReader((tmp_path / "runs/tuned/001/metrics/version_0/metrics.csv").open()))
    assert float(next(row["val/psnr_gain"] for row in rows if row["val/psnr_gain"])) > 3
    for model, folder in (("vosr_small_student", "before"), ("runs/tuned/001", "after")):
        where = ["-o", folder, "--model", model, "--scale", "1", "--color_fix", "none", "--format", "png"]
        assert main(["restore", "pairs/lq/0.png", *where]) == 0
    assert error(tmp_path / "after", pairs) < 0.7 * error(tmp_path / "before", pairs)
