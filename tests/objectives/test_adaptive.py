"""Per-sample weights and shifted times."""

import pytest
import torch

from vosr.objectives import OBJECTIVES
from vosr.objectives.adaptive import FLOOR, adaptive_mse


def test_power_zero_is_the_mean_squared_error():
    predicted, target = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    weighted, plain = adaptive_mse(predicted, target, 0.0)
    torch.testing.assert_close(weighted, torch.nn.functional.mse_loss(predicted, target))
    torch.testing.assert_close(plain, weighted)


def test_power_one_pulls_alike_on_easy_and_hard_samples():
    predicted = torch.tensor([[0.1], [10.0]]).view(2, 1, 1, 1).requires_grad_()
    weighted, plain = adaptive_mse(predicted, torch.zeros_like(predicted), 1.0)
    weighted.backward()
    # d/dx of x^2 / (x^2 + floor), the weight constant, over two samples: x / (x^2 + floor)
    expected = predicted.detach() / (predicted.detach().square() + FLOOR)
    torch.testing.assert_close(predicted.grad, expected)
    relative = (predicted.grad * predicted.detach()).flatten()
    assert float(relative[0]) == pytest.approx(float(relative[1]), rel=0.12)
    assert float(plain) == pytest.approx((0.01 + 100) / 2)


@pytest.mark.parametrize("name", ["flow_matching", "rcgm", "shortcut"])
def test_shift_moves_times_towards_noise(name):
    data = torch.zeros(4000, 1, 1, 1)
    plain, shifted = (
        OBJECTIVES.build(name, **options).draw(data, torch.Generator().manual_seed(0))
        for options in ({}, {"shift": 4.0})
    )
    torch.testing.assert_close(shifted.t, 4 * plain.t / (1 + 3 * plain.t))
    if shifted.r is not None:
        torch.testing.assert_close(shifted.r / shifted.t, plain.r / plain.t)
    with pytest.raises(ValueError, match="shift must be positive"):
        OBJECTIVES.build(name, shift=0.0)
