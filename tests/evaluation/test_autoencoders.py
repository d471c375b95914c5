"""Autoencoders measured side by side."""

import json

import pytest
import torch

from vosr.autoencoders import AUTOENCODERS, KLAutoencoder
from vosr.cli.main import main
from vosr.evaluation.autoencoders import measure_autoencoder, open_autoencoder, ring_shares
from vosr.metrics import METRICS

CPU = torch.device("cpu")


def images(count=2, side=32):
    return list(torch.randint(256, (count, 3, side, side), generator=torch.Generator().manual_seed(0)).byte())


def test_figures_are_those_of_the_metrics():
    pair = AUTOENCODERS.build("dct", factor=4, luma=10, chroma=3)
    found = measure_autoencoder("dct", pair, None, images(), CPU)
    x = torch.stack(images()).float() / 255
    y = ((pair.decode(pair.encode(x * 2 - 1)) + 1) / 2).clamp(0, 1)
    expected = METRICS.build("psnr_y").measure(y, x).mean()
    assert found.quality["psnr_y"] == pytest.approx(float(expected), abs=1e-3)
    assert (found.factor, found.channels, found.compression) == (4, 16, 3)
    latents = pair.encode(x * 2 - 1)
    assert found.stds == pytest.approx(latents.std((0, 2, 3)).tolist(), rel=1e-4)


def test_a_lossless_one_loses_nothing_and_averages_commute_exactly():
    found = measure_autoencoder("shuffle", AUTOENCODERS.build("pixel_shuffle", factor=1), None, images(), CPU)
    assert found.quality["psnr_y"] > 60
    assert found.equivariance < 1e-9  # its latent is the image


def test_shares_of_white_noise_are_areas_of_rings_and_of_a_wave_one_ring():
    white = torch.randn(64, 4, 32, 32, generator=torch.Generator().manual_seed(0)).double()
    shares = ring_shares(white)
    areas = torch.arange(1, 9) ** 2 - torch.arange(8) ** 2
    assert shares == pytest.approx((areas / areas.sum()).tolist(), abs=0.02)
    wave = torch.sin(2 * torch.pi * torch.arange(32) * 5 / 32).expand(1, 1, 32, 32).double()
    assert ring_shares(wave)[2] == pytest.approx(1.0)  # 5 / 32 lies in (1/8, 3/16]


def test_names_folders_and_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("VOSR_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    opened, missing = open_autoencoder("dct,factor=8,luma=2")
    assert (opened.factor, opened.latent_channels, missing) == (8, 8, None)
    KLAutoencoder(factor=4, width=8, layers=1).save(tmp_path / "mine")
    opened, missing = open_autoencoder(str(tmp_path / "mine"))
    assert (type(opened), opened.factor, missing) == (KLAutoencoder, 4, None)
    with pytest.raises(ValueError, match=r"dct has no argument 'width'; it takes factor, luma, chroma"):
        open_autoencoder("dct,width=3")
    with pytest.raises(ValueError, match="holds no autoencoder"):
        open_autoencoder(str(tmp_path))
    opened, missing = open_autoencoder("qwen")
    assert "Qwen-Image VAE" in missing
    figures = measure_autoencoder("qwen", opened, missing, images(1, 16), CPU)
    assert (figures.quality, figures.stds, figures.spectrum) == ({}, [], [])
    assert figures.decode_seconds > 0
    with pytest.raises(ValueError, match="do not fit qwen, whose factor is 8; give another --crop"):
        measure_autoencoder("qwen", opened, None, images(1, 20), CPU)


def test_the_command_writes_a_table(tmp_path, capsys):
    assert (
        main(["evaluate", "--autoencoder", "dct", "pixel_shuffle", "--crop", "32", "-o", str(tmp_path)]) == 0
    )
    assert [
        line.split("|")[1].strip() for line in (tmp_path / "autoencoders.md").read_text().splitlines()[4:]
    ] == [
        "dct",
        "pixel_shuffle",
    ]
    assert len(json.loads((tmp_path / "autoencoders.json").read_text())[0]["spectrum"]) == 8
    with pytest.raises(SystemExit):
        main(["evaluate", "--autoencoder", "dct", "--model", "bicubic", "-o", str(tmp_path)])
    assert "not both" in capsys.readouterr().err
