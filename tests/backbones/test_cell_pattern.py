"""No residual repeats from cell to cell unless the LQ image does."""

import pytest
import torch
import torch.nn.functional as F

from vosr.backbones.cell_pattern import LARGEST, PASSES, REACH, without_cell_pattern
from vosr.backbones.conv_unet import ConvUNet

FACTOR, PERIOD, STD = 4, 8, 0.2


def cleaned(residual, lq=None):
    lq = torch.zeros_like(residual) if lq is None else lq
    latent, lq = (F.pixel_unshuffle(image, FACTOR) for image in (residual, lq * STD))
    return F.pixel_shuffle(without_cell_pattern(latent, lq, STD, FACTOR, PERIOD), FACTOR)


def noise(seed, size=128):
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))


def mesh(seed, height, size=128):
    cell = noise(seed, PERIOD)
    cell = cell - cell.mean((2, 3), keepdim=True)
    return height * cell.repeat(1, 1, size // PERIOD, size // PERIOD)


def shared(image):
    """Mean over all cells, without its own mean: the pattern."""
    cell = image.unflatten(3, (-1, PERIOD)).unflatten(2, (-1, PERIOD)).mean((2, 4))
    return float((cell - cell.mean((2, 3), keepdim=True)).square().mean().sqrt())


def test_a_mesh_goes_and_what_it_lies_in_stays():
    texture = 0.1 * noise(0)
    out = cleaned(texture + mesh(1, 0.1))
    assert shared(texture + mesh(1, 0.1)) > 0.09
    assert shared(out) < 0.002
    change = float((out - texture).square().mean()) / float(texture.square().mean())
    assert change < 0.2  # the mean of few cells is in part their texture's


@pytest.mark.parametrize("slope", [(0.0, 0.0), (0.01, 0.0), (0.003, -0.02)])
def test_colours_and_gradients_stay(slope):
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    ramp = (slope[0] * x + slope[1] * y + 0.3).expand(1, 3, 256, 256)
    out, inside = cleaned(ramp), (..., slice(64, -64), slice(64, -64))
    torch.testing.assert_close(out[inside], ramp[inside], atol=2e-3, rtol=0)
    torch.testing.assert_close(out.mean((2, 3)), ramp.mean((2, 3)), atol=1e-4, rtol=1e-4)


def test_an_edge_leaves_no_visible_ghost():
    line = torch.zeros(1, 3, 128, 128)
    line[..., 61] = 3.0
    change = (cleaned(line) - line).abs()
    assert float(change.max()) < PASSES * LARGEST / (2 * REACH + 1)  # one cell's share of its row's mean


def test_a_pattern_of_the_input_may_be_enhanced():
    pattern = mesh(2, 0.3)
    out = cleaned(0.5 * pattern, lq=pattern)
    assert shared(out) > 0.9 * shared(0.5 * pattern)
    assert shared(cleaned(0.5 * mesh(3, 0.3), lq=pattern)) < 0.35 * shared(0.5 * mesh(3, 0.3))


def test_the_backbone_applies_it_to_its_residual():
    torch.manual_seed(0)
    plain, filtered = (
        ConvUNet(48, 0, widths=(8, 8), blocks=(1, 1), residual_std=STD, pixel_factor=factor)
        for factor in (0, 4)
    )
    torch.nn.init.normal_(plain.tail.weight, std=0.1)
    torch.nn.init.normal_(plain.tail.bias, std=0.5)
    filtered.load_state_dict(plain.state_dict())
    x = torch.zeros(1, 96, 32, 32)
    tokens = torch.zeros(1, 1, 0)
    one = torch.ones(1)
    shown = [F.pixel_shuffle(model(x, one, tokens), 4).detach() for model in (plain, filtered)]
    assert shared(shown[1]) < 0.1 * shared(shown[0])


def test_the_gradient_is_exact():
    residual, lq = noise(4, 16).double(), noise(5, 16).double()
    assert torch.autograd.gradcheck(lambda x: cleaned(x, lq), residual.requires_grad_(), eps=1e-3, atol=0.05)


def test_no_pattern_goes_where_the_gate_is_closed():
    """Flat on the left, a texture with a mesh on the right: the flat part stays flat up to its last cells."""
    torch.manual_seed(0)
    model = ConvUNet(48, 0, widths=(8, 8), blocks=(1, 1), residual_std=STD, pixel_factor=4)
    torch.nn.init.normal_(model.tail.weight, std=0.1)
    torch.nn.init.normal_(model.tail.bias, std=0.5)
    lq = torch.zeros(1, 3, 128, 128)
    lq[..., 64:] = noise(6)[..., 64:]
    x = torch.cat([F.pixel_unshuffle(lq, 4), torch.zeros(1, 48, 32, 32)], 1)
    change = (
        F.pixel_shuffle(model(x, torch.ones(1), torch.zeros(1, 1, 0)), 4).detach() + lq
    )  # v = -clean at x = 0
    assert float(change[..., :48].abs().max()) < 1e-4
    assert float(change[..., 64:].abs().mean()) > 1e-2


def test_latents_that_are_no_pixels_are_refused():
    with pytest.raises(ValueError, match="pixel_factor 4 needs latents of unshuffled pixels"):
        ConvUNet(12, 0, pixel_factor=4)
