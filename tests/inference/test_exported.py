"""The graphs of a one-step model compute what the model computes, at any size of a tile."""

import json

import numpy as np
import pytest
import torch
from models import tiny_model

from vosr.autoencoders import PixelShuffleAutoencoder
from vosr.backbones import ConvUNet
from vosr.encoders import DenseSIFT
from vosr.guidance import RestorationGuidance
from vosr.inference.exported import NAMES, graph_record, programs, save_graphs
from vosr.model import ModelCard, RestorationModel, Sampling
from vosr.model.conditioner import Conditioner

SIZES = [(64, 96), (136, 48), (16, 16)]


@pytest.fixture(scope="module")
def model():
    """Small, of the parts of the shipped student, with weights away from their initial zeros."""
    torch.manual_seed(0)
    parts = Conditioner(PixelShuffleAutoencoder(4), DenseSIFT(32, 4))
    backbone = ConvUNet(48, parts.encoder.dim, (8, 12), (2, 1), end_time=True)
    for parameter in backbone.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return RestorationModel(
        parts,
        backbone,
        RestorationGuidance(),
        Sampling(1, temperature=0.5),
        ModelCard("student", 32, color_fix="none"),
    ).eval()


def through(run, lq, noise):
    """Image of the three graphs in a row; ``run`` calls one by name."""
    latent, tokens = run("encode", lq)
    return run("decode", run("backbone", latent, tokens, noise)[0])[0]


def inputs(model, size, seed=0):
    draws = torch.Generator().manual_seed(seed)
    lq = torch.rand(1, 3, *size, generator=draws)
    return lq, torch.randn(1, *model.latent_shape(*size), generator=draws)


def test_programs_and_onnx_give_the_model_s_image(model, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs pip install '.[onnx]'")
    pytest.importorskip("onnxscript", reason="needs pip install '.[onnx]'")
    save_graphs(model, tmp_path, "onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "backbone.onnx", "decode.onnx", "encode.onnx", "graphs.json"
    ]  # fmt: skip
    assert json.loads((tmp_path / "graphs.json").read_text()) == graph_record(model)
    sessions = {
        name: onnxruntime.InferenceSession(tmp_path / f"{name}.onnx", providers=["CPUExecutionProvider"])
        for name in NAMES
    }

    def run(name, *values):
        return sessions[name].run(None, dict(zip(NAMES[name][0], map(np.asarray, values))))

    for size in SIZES:
        lq, noise = inputs(model, size)
        image = through(run, lq, 0.5 * noise)
        expected = model.restore(lq, noise)
        assert image.shape == (1, 3, *size)
        assert np.abs(image - expected.numpy()).max() < 1e-4
        assert expected.std() > 0.05


def test_programs_of_torch_are_the_model(model, tmp_path):
    save_graphs(model, tmp_path, "torch_export")
    modules = {name: torch.export.load(tmp_path / f"{name}.pt2").module() for name in NAMES}

    def run(name, *values):
        result = modules[name](*values)
        return result if isinstance(result, tuple) else (result,)

    for size in SIZES:
        lq, noise = inputs(model, size)
        torch.testing.assert_close(
            through(run, lq, 0.5 * noise), model.restore(lq, noise), atol=1e-5, rtol=1e-5
        )


def test_a_model_of_several_steps_is_refused():
    with pytest.raises(ValueError, match="Only one-step students"):
        programs(tiny_model("teacher"))
