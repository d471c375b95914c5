"""Models that version 0.1 wrote still open: its record and its weights' names, as it shipped them."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from vosr import Restorer

FOLDER = Path(__file__).parent / "version_0_1"


def test_a_model_of_0_1_opens_and_restores(tmp_path):
    shapes = json.loads((FOLDER / "shapes.json").read_text())
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(shape, generator=generator) * 0.02 for name, shape in shapes.items()}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "vosr/1"})
    shutil.copyfile(FOLDER / "config.json", tmp_path / "config.json")
    restorer = Restorer.from_pretrained(tmp_path, "cpu")
    model = restorer.model
    assert (model.card.kind, model.sampling.steps, model.sampling.temperature) == ("student", 1, 1.0)
    assert list(model.guidance.partial_strength_range) == [0.1, 0.1]
    assert all(torch.equal(value, weights[name]) for name, value in model.backbone.state_dict().items())
    assert restorer(torch.rand(3, 8, 10, generator=generator)).shape == (3, 32, 40)
