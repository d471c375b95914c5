"""Models that are published and opened again, with what their card says."""

import json

import numpy as np
import pytest
from models import small_model
from PIL import Image

from vosr import Restorer
from vosr.checkpoints import save_model
from vosr.cli import main
from vosr.core.hub import HubError

LQ = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)


@pytest.fixture
def run(tmp_path):
    """A run folder as ``fit`` leaves it."""
    run = tmp_path / "runs/mine/001"
    (run / "metrics/version_0").mkdir(parents=True)
    (run / "images").mkdir()
    save_model(small_model(), run / "model")
    sources = [
        {"name": "/home/me/photos", "weight": 1.0, "samples": {"a.tar": 1000, "b.tar": 234, "c": None}}
    ]
    (run / "data.json").write_text(json.dumps({"train": sources, "validation": ["x", "y"]}))
    (run / "metrics/version_0/metrics.csv").write_text("step,loss,val/psnr_y\n1,0.3,\n1,,20.5\n2,,21.25\n")
    Image.new("RGB", (4, 4), "teal").save(run / "images/step_0000002.png")
    return run


def test_publish_and_open_again(hub, run):
    restorer = Restorer.from_pretrained(run, "cpu")
    address = restorer.push_to_hub("me/mine", license="cc-by-4.0", private=True)
    assert address == f"{hub.url}/me/mine/commit/0123456789abcdef0123456789abcdef01234567"
    assert set(hub.repos["me/mine"]) == {
        "README.md", "config.json", "model.safetensors", "images/validation.png",
    }  # fmt: skip
    card = hub.repos["me/mine"]["README.md"].decode()
    for part in (
        "license: cc-by-4.0",
        'Restorer.from_pretrained("me/mine")',
        "- photos: 1,234 samples",
        "- validation: 2 images",
        "| psnr_y | 21.25 |",
        "| backbone | `lightning_dit` | latent_channels",
        "images/validation.png",
    ):
        assert part in card, part
    again = Restorer.from_pretrained("me/mine", "cpu")
    assert np.array_equal(again(LQ), restorer(LQ))


def test_a_card_names_no_licence_that_nobody_has_named(tmp_path):
    Restorer(small_model()).save_pretrained(tmp_path / "made")
    card = (tmp_path / "made/README.md").read_text()
    assert "license:" not in card
    assert "No licence is stated." in card
    assert 'from_pretrained("./made")' in card


def test_export_publishes_what_it_writes(hub, run, tmp_path, capsys):
    made = tmp_path / "made"
    assert (
        main(["export", "--model", str(run), "-o", str(made), "--license", "mit", "--push", "me/other"]) == 0
    )
    files = {str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()}
    assert set(hub.repos["me/other"]) == files == {
        "README.md", "config.json", "model.safetensors", "images/validation.png",
    }  # fmt: skip
    assert "license: mit" in (made / "README.md").read_text()
    assert "Published: " in capsys.readouterr().out


def test_a_hub_that_cannot_be_reached(hub, run):
    hub.close()
    with pytest.raises(HubError, match="cannot be reached"):
        Restorer.from_pretrained(run, "cpu").push_to_hub("me/mine")
