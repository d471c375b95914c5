import pytest
import torch

from vosr.imaging.color import wavelet
from vosr.inference.colour_rows import adain_rows, fixed_rows, wavelet_rows


def strips(image, *rows):
    return iter(image.split(list(rows), dim=2))


def reference_rows(reference):
    return lambda top, bottom: reference[:, :, top:bottom]


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    image, reference = torch.rand(2, 2, 3, 90, 20, generator=generator)
    return image, reference * 0.4 + 0.2


def test_adain_gives_the_whole_image_mean_and_deviation_of_the_reference(pair):
    image, reference = pair
    fixed = torch.cat(list(adain_rows(strips(image, 7, 50, 33), reference_rows(reference))), 2)
    torch.testing.assert_close(fixed.mean((2, 3)), reference.mean((2, 3)))
    torch.testing.assert_close(fixed.std((2, 3)), reference.std((2, 3)))
    same = torch.cat(list(adain_rows(strips(image, 90), reference_rows(image))), 2)
    torch.testing.assert_close(same, image)


@pytest.mark.parametrize("rows", [(90,), (1, 2, 87), (30, 30, 30), (45, 44, 1), (8,) * 11 + (2,)])
def test_wavelet_of_strips_is_that_of_the_whole(pair, rows):
    image, reference = pair
    fixed = torch.cat(list(wavelet_rows(strips(image, *rows), reference_rows(reference))), 2)
    torch.testing.assert_close(fixed, wavelet(image, reference))


def test_wavelet_takes_the_low_frequencies_and_keeps_the_detail():
    image = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(wavelet(image, image), image)
    torch.testing.assert_close(wavelet(image, image + 0.25), image + 0.25)
    checkers = (torch.arange(128) % 2).float().expand(1, 3, 128, 128)
    fixed = wavelet(checkers, torch.full_like(checkers, 0.5))
    middle = slice(60, 68)  # out of reach of the border
    torch.testing.assert_close(fixed[..., middle, middle], checkers[..., middle, middle], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["adain", "wavelet", "none"])
def test_results_stay_in_range(pair, name):
    image, reference = pair
    fixed = torch.cat(list(fixed_rows(name, strips(image * 3 - 1, 40, 50), reference_rows(reference))), 2)
    assert fixed.shape == image.shape
    assert float(fixed.min()) >= 0
    assert float(fixed.max()) <= 1
