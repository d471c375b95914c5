"""Feature loss, log MSE and sums of image losses."""

import math

import pytest
import torch
from safetensors.torch import save_file

from vosr.core.timm_features import TimmFeatures
from vosr.objectives import FeatureLoss, LogMSE, Mesh, SpectralLines, WeightedSum


def features(**options):
    return FeatureLoss(**({"model": "test_resnet", "layers": (0, 1), "pretrained": False} | options))


def test_equals_the_formula():
    loss, a, b = features(), torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    expected = 0.0
    for x, y in zip(loss.features(a), loss.features(b)):
        x, y = (level / level.square().sum(1, keepdim=True).sqrt() for level in (x, y))
        expected += (x - y).square().sum(1).mean()
    torch.testing.assert_close(loss(a, b).total, expected)
    assert loss(b, b).total == 0


def test_gradient_reaches_the_image_and_no_weight():
    loss, a = features(), torch.rand(1, 3, 32, 32, requires_grad=True)
    loss(a, torch.rand(1, 3, 32, 32)).total.backward()
    assert a.grad.abs().max() > 0
    assert not any(p.requires_grad for p in loss.parameters())


def test_a_crop_is_the_middle():
    a, b = torch.rand(1, 3, 48, 48), torch.rand(1, 3, 48, 48)
    whole = features()(a[..., 8:40, 8:40], b[..., 8:40, 8:40])
    torch.testing.assert_close(features(crop=32)(a, b).total, whole.total)


def test_weights_come_from_a_file_and_unneeded_layers_may_be_absent(tmp_path):
    source = TimmFeatures("test_resnet", (0, 1), None, False)
    state = {
        name: torch.randn(value.shape).to(value.dtype) for name, value in source.network.state_dict().items()
    }
    save_file(state, tmp_path / "vgg.safetensors")
    read = TimmFeatures("test_resnet", (0, 1), str(tmp_path / "vgg.safetensors"), True)
    for name, value in read.network.state_dict().items():
        assert torch.equal(value, state[name])
    del state[next(iter(state))]
    save_file(state, tmp_path / "short.safetensors")
    with pytest.raises(ValueError, match="missing"):
        TimmFeatures("test_resnet", (0, 1), str(tmp_path / "short.safetensors"), True)


def test_log_mse_is_decibels():
    hq = torch.zeros(2, 3, 8, 8)
    restored = torch.stack([torch.full((3, 8, 8), 0.1), torch.full((3, 8, 8), 0.01)])
    expected = (math.log(1e-2 + 1e-5) + math.log(1e-4 + 1e-5)) / 2
    assert LogMSE()(restored, hq).total == pytest.approx(expected, rel=1e-5)


def test_a_sum_weighs_totals_and_keeps_terms():
    a, b = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    parts = LogMSE(), features()
    both = WeightedSum(list(parts), [2.0, 0.5])(a, b)
    torch.testing.assert_close(both.total, 2 * parts[0](a, b).total + 0.5 * parts[1](a, b).total)
    assert set(both.terms) == {"mse", "features"}
    with pytest.raises(ValueError, match="one weight for each"):
        WeightedSum([LogMSE()], [])
    with pytest.raises(ValueError, match="Two image losses"):
        WeightedSum([LogMSE(), LogMSE()], [1.0, 1.0])(a, b)


def test_mesh_is_the_share_of_the_common_pattern():
    generator = torch.Generator().manual_seed(0)
    hq = torch.rand(2, 3, 64, 64, generator=generator)
    stamped = torch.rand(1, 3, 4, 4, generator=generator).repeat(1, 1, 16, 16)
    stamped = stamped - stamped.mean((2, 3), keepdim=True)
    torch.testing.assert_close(Mesh(4)(hq + 0.1 * stamped, hq).total, torch.tensor(1.0), atol=3e-3, rtol=0)
    white = 0.1 * torch.randn(2, 3, 64, 64, generator=generator)
    assert Mesh(4)(hq + white, hq).total == pytest.approx(1 / 256, rel=0.5)
    assert Mesh(4)(hq + 0.1, hq).total < 1e-6  # a cast is no mesh
    with pytest.raises(ValueError, match="at least 2"):
        Mesh(1)


def test_spectral_lines_see_a_pattern_whose_sign_changes_from_cell_to_cell():
    generator = torch.Generator().manual_seed(0)
    hq = torch.rand(2, 3, 128, 128, generator=generator)
    white = 0.1 * torch.randn(2, 3, 128, 128, generator=generator)
    loss = SpectralLines(8)
    assert loss(hq + white, hq).total < 0.1
    x = torch.arange(128)
    # a line at 4 px: per bin and row 24 times the noise's power, of the three that a Hann window spreads it over
    lines = white + 0.1 * 2**0.5 * torch.cos(torch.pi * x / 2)
    power = 128 * 0.5 * 0.5**2 / 0.375  # of the line's bin over that of white noise of the same variance
    found = loss(hq + lines, hq).total.item()
    assert found == pytest.approx(power / 4, rel=0.2)  # one of two axes, one of two periods
    row_signs = torch.randint(0, 2, (2, 1, 128, 1), generator=generator) * 2 - 1
    turned = white + 0.1 * 2**0.5 * row_signs * torch.cos(torch.pi * x / 2)
    assert loss(hq + turned, hq).total == pytest.approx(found, rel=0.1)
    assert Mesh(4)(hq + turned, hq).total < 0.1
    assert loss(hq + 1e-5 * lines, hq).total < 1e-3  # what rounding hides


def test_spectral_lines_need_room_beside_them():
    with pytest.raises(ValueError, match="An image of 64 px has no line of period 8 px"):
        SpectralLines(8)(torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64))
    with pytest.raises(ValueError, match="even number from 4"):
        SpectralLines(7)
