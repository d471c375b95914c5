"""Clipping and skipping on the device are what the host would do, and the average follows."""

import copy

import pytest
import torch

from vosr.training.ema import update_average
from vosr.training.guarded_step import decides_on_device, gradient_norm, guard_step, without_fused


def trained(fused, clip, gradients):
    """Weights and step counts after a step for each gradient factor, by AdamW."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.1, fused=fused)
    for factor in gradients:
        optimizer.zero_grad()
        (layer(torch.ones(4, 3)).square().sum() * factor).backward()
        norm = gradient_norm(layer.parameters())
        kept = norm.isfinite()
        guard_step(optimizer, clip, norm, kept if decides_on_device(optimizer) else bool(kept))
        optimizer.step()
    return torch.cat([p.detach().flatten() for p in layer.parameters()]), [
        int(s["step"]) for s in optimizer.state.values()
    ]


@pytest.mark.parametrize("clip", [None, 0.5, 1e6])
def test_fused_and_plain_optimizers_do_the_same(clip):
    bad = float("nan")
    weights, steps = trained(True, clip, [1.0, bad, 2.0, float("inf"), 0.5])
    expected, _ = trained(False, clip, [1.0, 2.0, 0.5])
    torch.testing.assert_close(weights, expected)
    assert steps == [3, 3]
    torch.testing.assert_close(trained(False, clip, [1.0, bad, 2.0, bad, 0.5])[0], expected)


def test_clipping_is_by_the_norm_of_the_whole_gradient():
    layer = torch.nn.Linear(3, 2, bias=False)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    before = layer.weight.detach().clone()
    layer.weight.grad = torch.full((2, 3), 2.0)
    guard_step(optimizer, 1.0, gradient_norm(layer.parameters()))
    optimizer.step()
    torch.testing.assert_close((before - layer.weight.detach()).norm(), torch.tensor(1.0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("flag", [lambda kept: kept, torch.tensor])
def test_the_average_stays_where_the_step_is_left_out(flag):
    average, model = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    start = copy.deepcopy(average.state_dict())
    update_average(average, model, 0.9, 1000, flag(False))
    assert all(torch.equal(value, start[name]) for name, value in average.state_dict().items())
    update_average(average, model, 0.9, 1000, flag(True))
    torch.testing.assert_close(average.weight, start["weight"].lerp(model.weight, 0.1))


def test_without_fused():
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters(), fused=True)
    without_fused(optimizer)
    assert not decides_on_device(optimizer)
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    assert optimizer.state[layer.weight]["step"] == 1
