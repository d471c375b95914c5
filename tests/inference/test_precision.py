import logging

import numpy as np
import pytest
import torch
from images import textured
from models import tiny_model

from data_pipelines import RealPhotographs
from vosr import Restorer
from vosr.inference import Precision, Settings
from vosr.inference.engine import Engine
from vosr.inference.precision import Part

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_formats_by_device():
    half, full = torch.float16, torch.float32
    assert Precision().resolve(CPU) == (full, full, full)
    assert Precision().resolve(CUDA) == (half, half, full)
    assert Precision("bfloat16").resolve(CPU) == (torch.bfloat16, torch.bfloat16, full)
    assert Precision("float32", "float16", "bfloat16").resolve(CUDA) == (full, half, torch.bfloat16)
    with pytest.raises(ValueError, match="Unknown dtype 'fp8'"):
        Precision("fp8").resolve(CPU)


def test_parts_are_cast_and_weightless_ones_are_not():
    model = tiny_model()
    engine = Engine(model, CPU, Precision("bfloat16"))
    assert {p.dtype for p in model.backbone.parameters() if p.ndim > 1} == {torch.bfloat16}
    assert {p.dtype for p in model.backbone.parameters() if p.ndim == 1} == {torch.float32}
    assert {p.dtype for p in model.conditioner.autoencoder.parameters()} == {torch.float32}
    assert engine.encoder.dtype == torch.float32


def test_overflow_is_answered_in_float32(caplog):
    layer = torch.nn.Linear(4, 4, bias=False)
    torch.nn.init.constant_(layer.weight, 1000.0)
    part = Part("backbone", layer, torch.float16)
    x = torch.full((1, 4), 100.0)  # the sum, 400 000, is beyond float16
    assert part.run(lambda: layer(x.to(layer.weight.dtype))).tolist() == [[4e5] * 4]
    assert "backbone overflows in float16; it goes on in float32" in caplog.text
    assert layer.weight.dtype == torch.float32
    caplog.clear()
    part.run(lambda: layer(x))
    assert caplog.text == ""
    torch.nn.init.constant_(layer.weight, float("nan"))
    with pytest.raises(ValueError, match="backbone gives values that are not finite"):
        part.run(lambda: layer(x))


def test_a_model_that_overflows_gives_the_float32_image(caplog):
    image = textured(20, 20)
    model = tiny_model(std=0.02)
    with torch.no_grad():  # the same function, by way of numbers beyond float16
        model.backbone.blocks[0].mlp.w3.weight.mul_(0)
    expected = Restorer(model)(image)
    with torch.no_grad():
        model.backbone.blocks[0].mlp.w12.weight.fill_(6e4)
    with caplog.at_level(logging.WARNING, "vosr"):
        result = Restorer(model, precision=Precision("float16"))(image)
    assert "overflows in float16" in caplog.text
    assert np.abs(result.astype(int) - expected).max() <= 1


def test_bfloat16_of_the_shipped_model_is_within_40_db_of_float32():
    photographs = RealPhotographs()
    images = [np.ascontiguousarray(photographs[i].hq[64:128, 64:128]) for i in range(3)]
    full, half = (
        Restorer.from_pretrained("vosr_small_student", "cpu", dtype) for dtype in ("float32", "bfloat16")
    )
    for image in images:
        error = (full(image).astype(float) - half(image)) / 255
        assert -10 * np.log10((error**2).mean()) >= 40


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_with_the_cpu():
    image = textured(40, 40)
    cpu, cuda = (Restorer(tiny_model(), device, Precision("float32"))(image) for device in ("cpu", "cuda"))
    assert np.abs(cpu.astype(int) - cuda).max() <= 2
    list(Engine(tiny_model(), CUDA).rows([image], (80, 80), Settings(), [0]))
