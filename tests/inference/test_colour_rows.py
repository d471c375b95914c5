"""Colour corrections: against independent formulas in numpy, in strips, and to the bit in 8 bits."""

import numpy as np
import pytest
import torch
from images import small_dct, smooth, textured
from models import tiny_model
from PIL import Image
from scipy.ndimage import gaussian_filter

from vosr.imaging.color import atrous, gaussian_blur, wavelet
from vosr.inference.colour_rows import fixed_rows
from vosr.inference.engine import Engine
from vosr.inference.settings import Settings

FIXES = ("adain", "wavelet", "atrous", "none")


def strips(image, *rows):
    return iter(image.clone().split(list(rows), dim=2))


def reference_rows(reference):
    return lambda top, bottom: reference[:, :, top:bottom]


def fixed(name, image, reference, *rows, eight_bit=False):
    rows = rows or (image.shape[2],)
    return torch.cat(list(fixed_rows(name, strips(image, *rows), reference_rows(reference), eight_bit)), 2)


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    image, reference = torch.rand(2, 2, 3, 90, 30, generator=generator)
    return image, reference * 0.4 + 0.2


@pytest.fixture
def eight_bits():
    """A result and an input of 8 bits, as (H, W, 3) integers."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (90, 61, 3)), rng.integers(40, 200, (90, 61, 3))


def batched(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def levels(image):
    return (image[0].permute(1, 2, 0) * 255).numpy()


def almost_all_equal(ours, theirs):
    """Equal but where float32 and float64 fall on two sides of a level."""
    assert np.abs(ours - ours.round()).max() < 1e-3
    apart = np.abs(ours.round() - theirs)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 2e-3


def test_adain_of_8_bits_is_the_references(eight_bits):
    result, source = (pixels / 255 for pixels in eight_bits)
    std = [pixels.std((0, 1), ddof=1) + 1e-5 for pixels in (result, source)]
    expected = (result - result.mean((0, 1))) / std[0] * std[1] + source.mean((0, 1))
    expected = np.floor(expected.clip(0, 1) * 255)
    ours = fixed("adain", *map(batched, eight_bits), 7, 50, 33, eight_bit=True)
    almost_all_equal(levels(ours), expected)


def test_wavelet_of_8_bits_is_the_references(eight_bits):
    result, source = (pixels / 255 for pixels in eight_bits)
    low = [
        np.stack([gaussian_filter(pixels[..., c], 5, radius=20, mode="mirror") for c in range(3)], 2)
        for pixels in (result, source)
    ]
    expected = np.floor((low[1] + result - low[0]).clip(0, 1) * 255)
    ours = fixed("wavelet", *map(batched, eight_bits), 30, 1, 59, eight_bit=True)
    almost_all_equal(levels(ours), expected)


def test_8_bits_are_rounded_before_and_cut_off_after():
    grey = torch.full((1, 3, 4, 4), 100.4 / 255)
    lighter = torch.full((1, 3, 4, 4), 110.7 / 255)
    assert fixed("wavelet", grey, lighter, eight_bit=True).mul(255).round().unique().tolist() == [110]
    deep = fixed("wavelet", grey, lighter)
    torch.testing.assert_close(deep, lighter)
    torch.testing.assert_close(fixed("none", grey, lighter, eight_bit=True), grey)


def test_wavelet_leaves_what_the_reference_leaves_of_a_cast():
    """A red spot of sigma 16 px: a low pass of sigma s leaves 1 - 16^2 / (16^2 + s^2) of its middle."""
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    flat = torch.full((1, 3, 256, 256), 0.3)
    spot = torch.zeros_like(flat)
    spot[:, 0] = 0.15 * torch.exp(-0.5 * ((x - 128) ** 2 + (y - 128) ** 2) / 16**2)
    left = {fix: float((fix(flat + spot, flat) - flat)[0, 0, 128, 128]) for fix in (wavelet, atrous)}
    assert left[wavelet] / 0.15 == pytest.approx(1 - 256 / (256 + 25), rel=0.03)
    assert 2.5 < left[atrous] / left[wavelet] < 6


def test_the_blur_is_a_gaussian_of_five_pixels():
    dot = torch.zeros(1, 3, 81, 81)
    dot[..., 40, 40] = 1
    axis = torch.arange(81.0) - 40
    row = gaussian_blur(dot)[0, 0].sum(0)
    assert float(row.sum()) == pytest.approx(1, abs=1e-5)
    assert float((row * axis**2).sum() ** 0.5) == pytest.approx(5, rel=2e-3)
    small = torch.rand(1, 3, 3, 1)  # smaller than the reach
    assert gaussian_blur(small).shape == small.shape
    torch.testing.assert_close(gaussian_blur(torch.full((1, 3, 1, 2), 0.4)), torch.full((1, 3, 1, 2), 0.4))


def test_adain_gives_mean_and_std_of_the_reference(pair):
    image, reference = pair
    result = fixed("adain", image * 0.5 + 0.2, reference, 7, 50, 33)
    torch.testing.assert_close(result.mean((2, 3)), reference.mean((2, 3)))
    torch.testing.assert_close(result.std((2, 3)), reference.std((2, 3)), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(fixed("adain", image, image), image)


@pytest.mark.parametrize("rows", [(90,), (1, 2, 87), (30, 30, 30), (45, 44, 1), (8,) * 11 + (2,)])
@pytest.mark.parametrize("fix", [wavelet, atrous])
def test_strips_give_what_the_whole_gives(pair, rows, fix):
    image, reference = pair
    expected = fix(image, reference).clamp(0, 1)
    torch.testing.assert_close(fixed(fix.__name__, image, reference, *rows), expected)


@pytest.mark.parametrize("fix", [wavelet, atrous])
def test_low_frequencies_are_taken_and_detail_is_kept(fix):
    image = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(fix(image, image), image)
    torch.testing.assert_close(fix(image, image + 0.25), image + 0.25)
    checkers = (torch.arange(128) % 2).float().expand(1, 3, 128, 128)
    result = fix(checkers, torch.full_like(checkers, 0.5))
    middle = slice(60, 68)  # out of reach of the border
    torch.testing.assert_close(result[..., middle, middle], checkers[..., middle, middle], atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", FIXES)
@pytest.mark.parametrize("eight_bit", [False, True])
def test_results_stay_in_range(pair, name, eight_bit):
    image, reference = pair
    result = fixed(name, image * 3 - 1, reference, 40, 50, eight_bit=eight_bit)
    assert result.shape == image.shape
    assert float(result.min()) >= 0
    assert float(result.max()) <= 1


def test_wavelet_corrects_against_the_lanczos_enlarged_input():
    """A model that returns its input: what changes is the low pass of Lanczos minus that of bicubic."""
    model = tiny_model(autoencoder=small_dct(), size=64, std=0.0)
    image = textured(24, 24) // 2 + smooth(24, 24) // 2
    engine = Engine(model, torch.device("cpu"))
    plain, corrected = (
        torch.cat(list(engine.rows([image], (96, 96), Settings(color_fix=name), [0])), 2)
        for name in ("none", "wavelet")
    )
    lanczos = np.asarray(Image.fromarray(image).resize((96, 96), Image.Resampling.LANCZOS))
    rounded = plain.mul(255).round().div(255)
    expected = wavelet(rounded, batched(lanczos.astype(int))).clamp(0, 1).mul(255)
    apart = corrected * 255 - expected
    assert float(apart.max()) < 0.02
    assert float(apart.min()) > -1.02
