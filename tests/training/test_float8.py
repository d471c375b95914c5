import importlib.util

import pytest
import torch
from layouts import backbone

from vosr.training.parallel import Parallelism, parallelise


def outcome(options):
    """Result of a fixed evaluation in bfloat16, and the gradient of a layer inside."""
    torch.manual_seed(0)
    model = backbone(4, 5)
    for p in model.final_layer.parameters():
        torch.nn.init.constant_(p, 0.1)
    names = list(model.state_dict())
    parallelise(model, options, None)
    assert list(model.state_dict()) == names
    with torch.autocast("cpu", torch.bfloat16):
        out = model(torch.randn(2, 8, 8, 8), torch.rand(2), torch.randn(2, 3, 5)).float()
    out.square().mean().backward()
    return out, model.blocks[0].attn.proj.weight.grad


def relative(value, reference):
    return float((value - reference).norm() / reference.norm())


@pytest.mark.skipif(importlib.util.find_spec("torchao") is None, reason="torchao is not installed")
@pytest.mark.parametrize("checkpointing", [False, "attention"])
def test_products_are_rounded_to_float8(checkpointing):
    plain = outcome(Parallelism())
    out, gradient = outcome(Parallelism(float8=True, activation_checkpointing=checkpointing))
    assert 1e-4 < relative(out, plain[0]) < 0.02
    assert 1e-3 < relative(gradient, plain[1]) < 0.1


def test_without_torchao_one_sentence(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"model\.parallel\.float8 needs torchao, which is not installed"):
        parallelise(backbone(4, 5), Parallelism(float8=True), None)


def test_a_backbone_without_such_layers_is_refused(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    model = torch.nn.Module()
    model.blocks = torch.nn.ModuleList([torch.nn.Linear(17, 16)])
    with pytest.raises(ValueError, match="has no effect: no block has a linear layer"):
        parallelise(model, Parallelism(float8=True), None)
