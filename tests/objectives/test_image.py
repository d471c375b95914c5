"""The loss on decoded images: closed forms of its three terms."""

import math

import pytest
import torch

from vosr.objectives import FidelitySharpness
from vosr.objectives.image import edge_strength, shared_pattern

EXACT = {"sharpness": 0.0, "repetition": 0.0, "grain": 0.0}


def textured(seed=0, side=64):
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(seed))


def test_edge_strength_of_stripes_is_their_contrast():
    stripes = torch.zeros(1, 3, 64, 64)
    stripes[..., ::2] = 1
    across, along = edge_strength(stripes, 16, 8).chunk(2, dim=2)
    torch.testing.assert_close(across[..., :4], torch.full((1, 8, 4), 2.0))  # full steps
    assert float(along.abs().max()) == 0


def test_edge_strength_tells_patch_borders_from_the_inside():
    blocks = torch.zeros(1, 3, 64, 64)
    blocks[..., 8:16] = blocks[..., 24:32] = blocks[..., 40:48] = blocks[..., 56:64] = 1
    across, _ = edge_strength(blocks, 16, 8).chunk(2, dim=2)
    assert float(across[:, 7].min()) == pytest.approx(2)
    assert float(across[:, :7].abs().max()) == 0


def test_perfect_images_have_no_error_and_errors_count_in_decibels():
    hq = textured()
    exact = FidelitySharpness(grain=0.0)(hq, hq)
    assert [float(value) for value in exact.terms.values()] == [0, 0, 0]
    fidelity = FidelitySharpness(fidelity=1.0, **EXACT)
    near, far = fidelity(hq + 0.1, hq).total, fidelity(hq + 0.2, hq).total
    assert float(far - near) == pytest.approx(math.log(4), rel=1e-3)


def test_sharpness_is_the_relative_loss_of_contrast_and_ignores_brightness():
    hq = textured()
    sharpness = FidelitySharpness(**(EXACT | {"fidelity": 0.0, "sharpness": 2.0}))
    flatter = hq.mean((1, 2, 3), keepdim=True) * 0.4 + hq * 0.6
    assert float(sharpness(flatter, hq).total) == pytest.approx(2 * 0.4**2, rel=0.05)
    assert float(sharpness(hq + 0.3, hq).total) == pytest.approx(0, abs=1e-4)
    half = hq.clone()  # texture in the wrong place is not excused by the same total
    half[..., :32] = 0.5
    assert float(sharpness(half, half.flip(-1)).total) > 1.5


def test_grain_is_wanted_where_the_original_is_flat():
    flat = torch.full((1, 3, 64, 64), 0.5)
    noise = 1e-2 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    loss = FidelitySharpness(**(EXACT | {"fidelity": 0.0, "sharpness": 1.0, "grain": 0.02}))
    assert float(loss(flat + noise, flat).total) < 0.3 * float(loss(flat, flat).total)


def test_repetition_is_the_energy_of_the_pattern_that_patches_share():
    pattern = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
    repeated = pattern.repeat(1, 4, 4).expand(2, -1, -1, -1)
    expected = (pattern - pattern.mean((1, 2), keepdim=True)).square().mean()
    torch.testing.assert_close(shared_pattern(repeated + 3, 8), expected)
    signs = torch.tensor([1.0, -1.0]).repeat(2).repeat_interleave(8)
    assert float(shared_pattern(repeated * signs, 8)) == pytest.approx(0, abs=1e-10)


def test_periods_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="period must divide window"):
        FidelitySharpness(window=20, period=16)
    with pytest.raises(ValueError, match="no multiple of period 16"):
        FidelitySharpness()(torch.zeros(1, 3, 40, 40), torch.zeros(1, 3, 40, 40))
