"""The loss on decoded pictures: closed forms, and that it reaches the student's weights."""

import math

import pytest
import torch

from vosr.objectives import FidelitySharpness
from vosr.objectives.picture import edge_strength


def textured(seed=0, side=64):
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(seed))


def test_edge_strength_of_stripes_is_their_contrast():
    stripes = torch.zeros(1, 3, 33, 33)
    stripes[..., ::2] = 1
    # one full luma step (219 / 255) between neighbours along x, none along y
    torch.testing.assert_close(edge_strength(stripes, 16), torch.full((1, 1, 3, 3), 219 / 255))


def test_perfect_pictures_have_no_error_and_errors_count_in_decibels():
    hq = textured()
    exact = FidelitySharpness()(hq, hq)
    assert float(exact.terms["mse"]) == 0
    assert float(exact.terms["sharpness"]) == 0
    fidelity = FidelitySharpness(fidelity=1.0, sharpness=0.0)
    near, far = fidelity(hq + 0.1, hq).total, fidelity(hq + 0.2, hq).total
    assert float(far - near) == pytest.approx(math.log(4), rel=1e-3)


def test_sharpness_is_the_relative_loss_of_contrast_and_ignores_brightness():
    hq = textured()
    sharpness = FidelitySharpness(fidelity=0.0, sharpness=2.0, window=16)
    flatter = hq.mean((1, 2, 3), keepdim=True) * 0.4 + hq * 0.6
    assert float(sharpness(flatter, hq).total) == pytest.approx(2 * 0.4**2, rel=0.01)
    assert float(sharpness(hq + 0.3, hq).total) == pytest.approx(0, abs=1e-4)
    # texture in the wrong place is not excused by the same total
    half = hq.clone()
    half[..., :32] = 0.5
    assert float(sharpness(half, half.flip(-1)).total) > 1.5


def test_window_is_checked():
    with pytest.raises(ValueError, match="window must be at least 2"):
        FidelitySharpness(window=1)
