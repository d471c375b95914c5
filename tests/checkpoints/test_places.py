"""A model folder reads weights inside itself; those elsewhere only where this user wrote the record."""

import json

import pytest
import torch
from safetensors.torch import save_file

from vosr.autoencoders import AUTOENCODERS
from vosr.backbones import LightningDiT
from vosr.checkpoints import load_model, save_model
from vosr.cli import main
from vosr.encoders import ENCODERS
from vosr.guidance import NoGuidance
from vosr.model import ModelCard, RestorationModel, Sampling
from vosr.model.conditioner import Conditioner

TINY = {"depth": 1, "embed_dim": 12, "num_heads": 2}


def encoder(**more):
    return ENCODERS.build("dinov2", size="s", block=0, input_size=28, overrides=TINY, **more)


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model whose encoder was given a file by path, relative to the working folder."""
    monkeypatch.setenv("VOSR_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    save_file(encoder(pretrained=False).vit.state_dict(), "mine/dino.safetensors")
    autoencoder, semantic = AUTOENCODERS.build("dct"), encoder(weights="mine/dino.safetensors")
    backbone = LightningDiT(
        autoencoder.latent_channels, semantic.dim, width=16, depth=1, heads=1, latent_grid=4, end_time=True
    )
    card = ModelCard("student", 32)
    return RestorationModel(Conditioner(autoencoder, semantic), backbone, NoGuidance(), Sampling(1), card)


def test_ones_own_folder_names_a_file_anywhere_and_from_anywhere(model, tmp_path, monkeypatch):
    save_model(model, tmp_path / "model")
    monkeypatch.chdir("/")
    found = load_model(tmp_path / "model").conditioner.encoder.init_args["weights"]
    assert found == str(tmp_path / "mine/dino.safetensors")


def test_a_strangers_does_not(model, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    save_model(model, folder)
    record = json.loads((folder / "config.json").read_text())
    absolute = str(tmp_path / "mine/dino.safetensors")
    for place in (
        absolute,
        "mine/dino.safetensors",
        "../mine/dino.safetensors",
        "~/x.pth",
        "C:\\x.pth",
        "x/../../y",
    ):
        record["encoder"]["args"]["weights"] = place
        (folder / "config.json").write_text(json.dumps(record))
        with pytest.raises(ValueError, match=r"config\.json takes weights from .*outside its folder"):
            load_model(folder)
    record["encoder"]["args"]["weights"] = absolute
    (folder / "config.json").write_text(json.dumps(record))
    assert load_model(folder, trust_remote_code=True).conditioner.encoder.dim == 12


def test_exports_hold_their_files_and_move(model, tmp_path, monkeypatch):
    save_model(model, tmp_path / "model")
    assert main(["export", "--model", str(tmp_path / "model"), "-o", str(tmp_path / "out")]) == 0
    written = "".join((tmp_path / "out" / name).read_text() for name in ("config.json", "README.md"))
    assert str(tmp_path) not in written
    (tmp_path / "mine/dino.safetensors").unlink()
    monkeypatch.setenv("VOSR_CACHE", str(tmp_path / "someone"))
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    moved = load_model(tmp_path / "elsewhere")
    for name, value in model.conditioner.encoder.state_dict().items():
        assert torch.equal(value, moved.conditioner.encoder.state_dict()[name])
    assert main(["export", "--model", str(tmp_path / "elsewhere"), "-o", str(tmp_path / "again")]) == 0
    load_model(tmp_path / "again")
