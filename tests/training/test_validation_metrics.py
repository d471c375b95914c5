"""Metrics at validation, their place in the image grid, and the best checkpoint by any of them."""

from types import SimpleNamespace

import pytest
import torch

from vosr.core.registry import UnknownNameError
from vosr.metrics import METRICS
from vosr.training.validation_metrics import BestCheckpoint, ValidationMetrics, column_titles


class Module(SimpleNamespace):
    """Records what is logged."""

    def log_dict(self, values):
        self.logged |= values

    def log(self, name, value, **_):
        self.logged[name] = value


@pytest.fixture
def module():
    return Module(kind="student", logged={})


@pytest.fixture
def images():
    hq = torch.rand(3, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    return {"LQ": (hq + 0.1).clamp(0, 1), "student": (hq + 0.02).clamp(0, 1), "teacher": hq, "HQ": hq}


def test_every_column_is_measured_over_all_batches(module, images):
    callback = ValidationMetrics(["psnr_y", "grey", "ssim_y"])
    trainer = SimpleNamespace(sanity_checking=False)
    for part in (slice(0, 2), slice(2, 3)):  # unequal batches: the mean is over images
        callback.on_validation_batch_end(trainer, module, {k: v[part] for k, v in images.items()})
    callback.on_validation_epoch_end(trainer, module)
    psnr = METRICS.build("psnr_y")
    for title, key in (("student", "val/psnr_y"), ("LQ", "val/psnr_y_input")):
        expected = psnr.measure(images[title], images["HQ"]).mean().item()
        assert module.logged[key].item() == pytest.approx(expected, abs=1e-4)
    assert "val/psnr_y_teacher" not in module.logged
    gain = module.logged["val/psnr_y"] - module.logged["val/psnr_y_input"]
    assert module.logged["val/psnr_gain"] == gain
    assert gain > 5
    callback.on_validation_batch_end(trainer, module, {k: v[:1] for k, v in images.items()})
    callback.on_validation_epoch_end(trainer, module)  # nothing is left of the first validation
    assert module.logged["val/psnr_y"].item() == pytest.approx(
        psnr.measure(images["student"][:1], images["HQ"][:1]).item()
    )


def test_images_that_the_degradation_left_as_they_were_do_not_count(module, images):
    """Their input has the 100 dB of equal images, which no restored image can gain on."""
    callback, trainer = ValidationMetrics(["psnr_y"]), SimpleNamespace(sanity_checking=False)
    kept = torch.cat([images["HQ"][:1], images["LQ"][1:]])
    callback.on_validation_batch_end(trainer, module, images | {"LQ": kept})
    callback.on_validation_epoch_end(trainer, module)
    psnr = METRICS.build("psnr_y")
    expected = [psnr.measure(images[title][1:], images["HQ"][1:]).mean() for title in ("student", "LQ")]
    torch.testing.assert_close(module.logged["val/psnr_gain"], (expected[0] - expected[1]).float())


def test_sanity_checks_do_not_count(module, images):
    callback = ValidationMetrics()
    callback.on_validation_batch_end(SimpleNamespace(sanity_checking=True), module, images)
    callback.on_validation_epoch_end(None, module)
    assert module.logged == {}


def test_grid_titles_hold_the_figures():
    values = {"val/psnr_y": torch.tensor(25.123), "val/psnr_y_input": torch.tensor(24.0)}
    titles = column_titles(SimpleNamespace(callback_metrics=values), ["LQ", "student", "HQ"], "student")
    assert titles == {"LQ": "LQ\nPSNR-Y 24.00 dB", "student": "student\nPSNR-Y 25.12 dB", "HQ": "HQ"}


@pytest.mark.parametrize(("metric", "mode"), [("psnr_y", "max"), ("feature_distance", "min")])
def test_best_checkpoint_takes_the_metrics_direction(metric, mode):
    best = BestCheckpoint(metric)
    assert (best.monitor, best.mode, best.save_top_k) == (f"val/{metric}", mode, 1)
    assert BestCheckpoint().save_top_k == 0


def test_what_cannot_be_measured_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("VOSR_WEIGHTS", str(tmp_path))
    with pytest.raises(ValueError, match="VGG features unavailable: put"):
        ValidationMetrics(["vgg_features"])
    with pytest.raises(ValueError, match="flicker is of films"):
        ValidationMetrics(["flicker"])
    with pytest.raises(UnknownNameError, match="Did you mean 'psnr_y'"):
        ValidationMetrics(["psnr_yy"])
