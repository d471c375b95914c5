"""PSNR and SSIM against closed forms and scikit-image."""

import math

import numpy as np
import piq
import pytest
import torch
from skimage import data
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vosr.metrics import METRICS
from vosr.metrics.protocol import eight_bit, studio_luma


@pytest.fixture(scope="module")
def pair():
    """A photograph of 200 x 192 px and a noisy copy, uint8 (1, 3, H, W)."""
    reference = torch.from_numpy(data.astronaut()[:200, :192].copy()).permute(2, 0, 1)[None]
    noise = torch.randn(reference.shape, generator=torch.Generator().manual_seed(0)) * 12
    return (reference + noise).round().clamp(0, 255).to(torch.uint8), reference


def inside(image):
    return image[0].permute(1, 2, 0).numpy()[4:-4, 4:-4]


def test_a_constant_offset_has_its_closed_form():
    reference = torch.full((2, 3, 32, 32), 100, dtype=torch.uint8)
    restored = reference + torch.tensor([10, 20], dtype=torch.uint8).view(2, 1, 1, 1)
    expected = [20 * math.log10(255 / 10), 20 * math.log10(255 / 20)]
    assert METRICS.build("psnr_rgb").measure(restored, reference).tolist() == pytest.approx(
        expected, abs=1e-4
    )
    studio = [value + 20 * math.log10(255 / 219) for value in expected]  # grey: Y moves by 219/255 as much
    assert METRICS.build("psnr_y").measure(restored, reference).tolist() == pytest.approx(studio, abs=1e-4)


def test_equal_images_have_the_best_value(pair):
    _, reference = pair
    best = {"psnr_y": 100, "psnr_rgb": 100, "ssim_y": 1, "ms_ssim": 1}
    for name, value in best.items():
        assert METRICS.build(name).measure(reference, reference).item() == pytest.approx(value, abs=1e-6)


def test_luma_of_black_white_and_scikit_image(pair):
    corners = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 1, 1)
    assert (studio_luma(corners) * 255).flatten().tolist() == pytest.approx([16, 235], abs=1e-4)
    expected = rgb2ycbcr(pair[1][0].permute(1, 2, 0).numpy())[..., 0]
    np.testing.assert_allclose((studio_luma(eight_bit(pair[1])) * 255)[0, 0].numpy(), expected, atol=1e-3)


def test_values_of_scikit_image(pair):
    restored, reference = (inside(image) for image in pair)
    luma_restored, luma_reference = (rgb2ycbcr(image)[..., 0] for image in (restored, reference))
    expected = {
        "psnr_rgb": peak_signal_noise_ratio(reference, restored, data_range=255),
        "psnr_y": peak_signal_noise_ratio(luma_reference, luma_restored, data_range=255),
        "ssim_y": structural_similarity(
            luma_reference, luma_restored, data_range=255, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        ),
    }  # fmt: skip
    for name, value in expected.items():
        assert METRICS.build(name).measure(*pair).item() == pytest.approx(value, abs=1e-4)


def test_multi_scale_value_of_piq(pair):
    restored, reference = (studio_luma(eight_bit(image))[..., 4:-4, 4:-4] for image in pair)
    expected = piq.multi_scale_ssim(restored, reference, data_range=1.0).item()
    assert METRICS.build("ms_ssim").measure(*pair).item() == pytest.approx(expected, abs=1e-4)


def test_floating_point_is_rounded_to_eight_bits(pair):
    restored, reference = pair
    nearly = restored / 255 + 0.3 / 255
    metric = METRICS.build("psnr_y")
    assert torch.equal(metric.measure(nearly.clamp(0, 1), reference), metric.measure(restored, reference))


def test_images_too_small_for_the_windows_have_no_value():
    image = torch.zeros(1, 3, 64, 64)
    assert METRICS.build("ms_ssim").measure(image, image).isnan().all()
    with pytest.raises(ValueError, match="nothing inside a border of 4 px"):
        METRICS.build("psnr_y").measure(image[..., :8], image[..., :8])
