"""Light decoders and autoencoders of one's own in commands: opened, exported, refused."""

import shutil

import pytest
import torch
from models import tiny_model
from PIL import Image

from vosr.autoencoders import KLAutoencoder
from vosr.autoencoders.light_decoder import (
    LIGHT_FILE,
    build_light_decoder,
    load_light_decoder,
    save_light_decoder,
)
from vosr.checkpoints import load_model, save_model
from vosr.cli.main import main


@pytest.fixture
def folders(tmp_path):
    """An autoencoder, a light decoder of it, and a student on its latents."""
    KLAutoencoder(factor=4, latent_channels=3, width=8, layers=1, attention=False).save(tmp_path / "ae")
    (tmp_path / "light").mkdir()
    save_light_decoder(build_light_decoder((4, 8, 16), 1, channels=3), tmp_path / "light" / LIGHT_FILE)
    model = tiny_model(autoencoder=KLAutoencoder(str(tmp_path / "ae")))
    save_model(model, tmp_path / "student")
    return tmp_path


def opened(folder, **options):
    return load_model(folder, trust_remote_code=True, **options)  # its encoder is a double


def test_a_model_opens_with_another_decoder(folders):
    plain = opened(folders / "student").conditioner.autoencoder
    light = opened(folders / "student", light_decoder=str(folders / "light")).conditioner.autoencoder
    z = torch.randn(1, 3, 2, 2)
    assert plain.light is None
    with torch.no_grad():
        expected = load_light_decoder(folders / "light" / LIGHT_FILE)(light.unscaled(z))
        assert torch.equal(light.decode(z), expected)
        x = torch.rand(1, 3, 8, 8)
        assert torch.equal(light.encode(x), plain.encode(x))


def test_an_export_holds_both_files(folders, capsys):
    arguments = ["--model", str(folders / "student"), "--light_decoder", str(folders / "light")]
    assert main(["export", *arguments, "-o", str(folders / "out"), "--trust_remote_code"]) == 0
    before = opened(folders / "student", light_decoder=str(folders / "light")).conditioner.autoencoder
    for name in ("ae", "light", "student"):
        shutil.rmtree(folders / name)
    after = opened(folders / "out").conditioner.autoencoder
    x = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(after.decode(after.encode(x)), before.decode(before.encode(x)))


def test_autoencoders_and_light_decoders_are_exported_alone(folders, capsys):
    assert main(["export", "--model", str(folders / "ae"), "-o", str(folders / "a")]) == 0
    x = torch.rand(1, 3, 8, 8)
    one, other = (KLAutoencoder(str(folders / name)) for name in ("a", "ae"))
    assert torch.equal(one.encode(x), other.encode(x))
    light = ["export", "--model", str(folders / "light"), "-o", str(folders / "b")]
    assert main(light) == 0
    assert main([*light, "--layout", "vosr"]) == 0
    states = [
        load_light_decoder(folders / name).state_dict()
        for name in (f"b/{LIGHT_FILE}", "b/sd21_lwdecoder.pth")
    ]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "--model", "ae", "--layout", "vosr", "-o", "out"], "no autoencoder in it"),
        (["export", "--model", "patched", "--layout", "vosr", "-o", "out"], "makes single RGB pixels"),
        (["export", "--model", "vosr_small_student", "--light_decoder", "light", "-o", "out"],
         "PixelShuffleAutoencoder takes no light decoder"),
        (["restore", "photo.png", "--model", "ae"], "restores nothing by itself"),
    ],
)  # fmt: skip
def test_refusals_are_one_sentence(folders, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(folders)
    Image.new("RGB", (8, 8)).save("photo.png")
    (folders / "patched").mkdir()
    decoder = build_light_decoder((4, 8), 1, channels=3, out_channels=12)
    save_light_decoder(decoder, folders / "patched" / LIGHT_FILE)
    with pytest.raises(SystemExit):
        main(arguments)
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert not (folders / "out").exists()
