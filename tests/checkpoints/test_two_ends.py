"""Weights between a sharp and a faithful end."""

import pytest
import torch
from models import tiny_model
from safetensors.torch import load_file, save_file

from vosr.checkpoints import load_model, save_model
from vosr.checkpoints.fidelity import FAITHFUL


@pytest.fixture
def folder(tmp_path):
    save_model(tiny_model(), tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({name: value + 1 for name, value in weights.items()}, tmp_path / FAITHFUL)
    return tmp_path


@pytest.mark.parametrize("fidelity", [None, 0.0, 0.25, 1.0])
def test_weights_are_interpolated(folder, fidelity):
    sharp = load_file(folder / "model.safetensors")
    model = load_model(folder, trust_remote_code=True, fidelity=fidelity)
    for name, value in model.backbone.state_dict().items():
        torch.testing.assert_close(value, sharp[name] + (fidelity or 0.0))


def test_what_cannot_be_blended_is_refused(folder):
    with pytest.raises(ValueError, match=r"in \[0, 1\], not 1.5"):
        load_model(folder, trust_remote_code=True, fidelity=1.5)
    save_file({"a": torch.zeros(1)}, folder / FAITHFUL)
    with pytest.raises(ValueError, match="does not fit"):
        load_model(folder, trust_remote_code=True, fidelity=0.5)
    (folder / FAITHFUL).unlink()
    with pytest.raises(ValueError, match="one set of weights"):
        load_model(folder, trust_remote_code=True, fidelity=0.5)


def test_a_copy_has_both_ends(folder, tmp_path):
    copy = tmp_path / "copy"
    save_model(load_model(folder, trust_remote_code=True), copy, torch.float16)
    for fidelity in (None, 0.0, 0.5, 1.0):
        own, copied = (
            load_model(path, trust_remote_code=True, fidelity=fidelity).backbone.state_dict()
            for path in (folder, copy)
        )
        for name, value in own.items():
            torch.testing.assert_close(copied[name], value, atol=2e-3, rtol=1e-3)
    save_model(load_model(folder, trust_remote_code=True, fidelity=0.5), copy)
    assert not (copy / FAITHFUL).exists()  # nothing of the older model stays beside the new one
