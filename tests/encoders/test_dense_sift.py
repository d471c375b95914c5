import math

import pytest
import torch
from skimage import data
from torch.nn import functional as F

from vosr.encoders import ENCODERS, DenseSIFT, NoEncoder
from vosr.encoders.dense_sift import direction_histograms, root_sift
from vosr.encoders.resize import resize_square


def photographs():
    images = [torch.from_numpy(getattr(data, n)().copy()) for n in ("astronaut", "coffee", "chelsea")]
    crops = [
        i.movedim(-1, 0)[:, y : y + 128, x : x + 128] for i in images for y in (0, 150) for x in (20, 200)
    ]
    return torch.stack(crops).float() / 255


def test_no_encoder_gives_one_zero_token():
    assert torch.equal(NoEncoder(dim=5)(torch.rand(2, 3, 7, 9)), torch.zeros(2, 1, 5))


@pytest.mark.parametrize("direction", range(8))
def test_a_ramp_falls_in_its_direction(direction):
    angle = direction * math.pi / 4
    y, x = torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij")
    ramp = 0.01 * (math.cos(angle) * x + math.sin(angle) * y)
    histogram = direction_histograms(ramp.view(1, 1, 12, 12))[0, :, 1:-1, 1:-1]
    expected = torch.zeros(8)
    expected[direction] = 0.01
    torch.testing.assert_close(histogram.mean((1, 2)), expected, atol=1e-6, rtol=0)


def test_histograms_share_the_magnitude():
    grey = torch.rand(2, 1, 16, 16)
    padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    dx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    dy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    histogram = direction_histograms(grey)
    torch.testing.assert_close(histogram.sum(1, keepdim=True), (dx**2 + dy**2).sqrt())
    assert (histogram > 0).sum(1).max() <= 2


def test_root_sift_is_unit_length_and_ignores_contrast():
    histogram = torch.rand(1, 128, 5)
    torch.testing.assert_close(root_sift(histogram).norm(dim=1), torch.ones(1, 5), atol=2e-2, rtol=0)
    torch.testing.assert_close(root_sift(histogram * 10), root_sift(histogram), atol=2e-2, rtol=0)
    assert not root_sift(torch.zeros(1, 128, 5)).any()


@pytest.mark.parametrize("grid", [8, 16])
def test_tokens_of_photographs_are_standardised(grid):
    tokens = DenseSIFT(grid=grid)(photographs())
    assert tokens.shape == (12, grid * grid, 132)
    for part in (tokens[..., :128], tokens[..., 128:131], tokens[..., 131:]):
        assert float(part.mean()) == pytest.approx(0, abs=0.5)
        assert float(part.std()) == pytest.approx(1, abs=0.4)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_constant_images_give_finite_equal_tokens(level):
    tokens = DenseSIFT()(torch.full((1, 3, 40, 60), level))
    assert tokens.isfinite().all()
    torch.testing.assert_close(tokens, tokens[:, :1].expand_as(tokens))


def test_half_turn_permutes_tokens_cells_and_directions():
    """An image turned by 180 degrees: tokens and cells in reverse order, directions four bins on."""
    image, model = photographs()[:2], DenseSIFT()
    straight, turned = model(image), model(image.rot90(2, (2, 3))).flip(1)
    torch.testing.assert_close(turned[..., 128:], straight[..., 128:], atol=1e-4, rtol=0)
    sift = turned[..., :128].unflatten(-1, (8, 4, 4)).roll(4, dims=2).flip(3, 4).flatten(2)
    torch.testing.assert_close(sift, straight[..., :128], atol=5e-3, rtol=0)


def test_batch_equals_singles_and_contents_matter():
    images, model = photographs()[:3], DenseSIFT()
    together = model(images)
    torch.testing.assert_close(together, torch.cat([model(i[None]) for i in images]))
    assert (together[0] - together[1]).abs().mean() > 0.3


def test_any_size_gives_the_resized_images_tokens():
    image, model = torch.rand(1, 3, 50, 75), DenseSIFT(input_size=64)
    resized = F.interpolate(image, (64, 64), mode="bicubic").clamp(0, 1)
    assert torch.equal(resize_square(image, 64), resized)
    torch.testing.assert_close(model(image), model(resized))


def test_no_gradient_no_weights_float32():
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    model = ENCODERS.build("dense_sift")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        tokens = model(image)
    assert tokens.dtype == torch.float32
    assert not tokens.requires_grad
    assert torch.equal(tokens, model(image))
    assert model.state_dict() == {}


@pytest.mark.parametrize("arguments", [{"input_size": 100}, {"grid": 0}, {"sigma": 0.0}])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="must be"):
        DenseSIFT(**arguments)
