import math

import pytest
import torch
from skimage import data

from vosr.autoencoders import AUTOENCODERS, DCTAutoencoder
from vosr.autoencoders.dct import dct_matrix, zigzag

SIZES = [(4, 10, 3), (8, 40, 12), (2, 1, 1)]


def photograph(name):
    image = torch.from_numpy(getattr(data, name)().copy()).movedim(-1, 0)[None].float() / 127.5 - 1
    return image[..., : image.shape[-2] // 8 * 8, : image.shape[-1] // 8 * 8]


def coefficients(model, latent):
    return latent * model.std + model.mean


@pytest.mark.parametrize("size", SIZES)
def test_is_an_orthogonal_projection(size):
    model, x = DCTAutoencoder(*size), torch.rand(2, 3, 16, 24) * 2 - 1
    latent = model.encode(x)
    assert latent.shape == (2, model.latent_channels, 16 // size[0], 24 // size[0])
    projected = model.decode(latent)
    torch.testing.assert_close(model.decode(model.encode(projected)), projected, atol=1e-5, rtol=0)
    # Pythagoras: kept energy and residual add up, and the kept energy is that of the coefficients (Parseval).
    kept = coefficients(model, latent).square().sum()
    torch.testing.assert_close(kept, projected.square().sum(), rtol=1e-5, atol=0)
    torch.testing.assert_close(kept + (x - projected).square().sum(), x.square().sum(), rtol=1e-5, atol=0)


def test_everything_kept_is_lossless():
    x = torch.rand(1, 3, 8, 8) * 2 - 1
    model = DCTAutoencoder(4, 16, 16)
    torch.testing.assert_close(model.decode(model.encode(x)), x, atol=2e-6, rtol=0)


@pytest.mark.parametrize("size", SIZES)
def test_constant_colours_are_exact(size):
    x = torch.tensor([0.3, -0.9, 1.0]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    model = DCTAutoencoder(*size)
    torch.testing.assert_close(model.decode(model.encode(x)), x, atol=2e-6, rtol=0)


def test_a_cosine_is_one_coefficient():
    n, k = 8, 3
    wave = torch.cos(math.pi * (torch.arange(n) + 0.5) * k / n)
    x = wave.view(1, 1, 1, n).expand(1, 3, n, n)
    model = DCTAutoencoder(n, 40, 12)
    found = coefficients(model, model.encode(x)).flatten()
    expected = torch.zeros(64)
    expected[zigzag(n).index((0, k))] = math.sqrt(3) * n / math.sqrt(2)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_matrix_is_orthonormal_and_zigzag_is_jpegs():
    torch.testing.assert_close(dct_matrix(8) @ dct_matrix(8).T, torch.eye(8, dtype=torch.float64))
    assert zigzag(8)[:10] == [(0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2), (0, 3), (1, 2), (2, 1), (3, 0)]
    assert sorted(zigzag(5)) == [(u, v) for u in range(5) for v in range(5)]


@pytest.mark.parametrize("size", SIZES[:2])
def test_latents_of_photographs_are_near_unit_variance(size):
    model = DCTAutoencoder(*size)
    latents = torch.cat(
        [model.encode(photograph(n)).flatten(2) for n in ("astronaut", "coffee", "chelsea")], 2
    )
    root_mean_square = latents.square().mean(dim=(0, 2)).sqrt()
    assert root_mean_square.min() > 0.5
    assert root_mean_square.max() < 2.5
    assert float(root_mean_square.log().mean().exp()) == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize(
    ("name", "small", "large"), [("astronaut", 36.0, 36.6), ("coffee", 32.7, 33.5), ("chelsea", 39.4, 40.2)]
)
def test_reconstruction_quality(name, small, large):
    x = photograph(name)
    for size, least in ((SIZES[0], small), (SIZES[1], large)):
        model = DCTAutoencoder(*size)
        error = (model.decode(model.encode(x)).clamp(-1, 1) - x).div(2).square().mean()
        assert -10 * math.log10(error) > least


def test_float32_under_autocast_and_sample_changes_nothing():
    x, model = torch.rand(1, 3, 8, 8) * 2 - 1, AUTOENCODERS.build("dct")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        latent = model.encode(x, sample=True)
        image = model.decode(latent)
    assert latent.dtype == image.dtype == torch.float32
    assert torch.equal(latent, model.encode(x))
    assert torch.equal(image, model.decode(latent))


def test_has_no_weights_to_save():
    assert DCTAutoencoder().state_dict() == {}


@pytest.mark.parametrize("arguments", [{"luma": 17}, {"chroma": 0}, {"factor": 0}])
def test_bad_counts(arguments):
    with pytest.raises(ValueError, match="factor"):
        DCTAutoencoder(**arguments)


def test_whitening_sets_the_scale_of_the_coefficients():
    white, plain, between = (DCTAutoencoder(8, 24, 4, whitening=w) for w in (1.0, 0.0, 0.5))
    assert (plain.std == white.std[0]).all()
    torch.testing.assert_close(between.std, (white.std * white.std[0]).sqrt())
    image = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    torch.testing.assert_close(between.decode(between.encode(image)), white.decode(white.encode(image)))
    with pytest.raises(ValueError, match="whitening must be in"):
        DCTAutoencoder(whitening=1.5)
