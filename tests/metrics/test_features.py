"""The perceptual distance without weights."""

import math

import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage import data

from vosr.metrics import METRICS
from vosr.metrics.features import ORIENTATIONS, energies, gabor_filters


@pytest.fixture(scope="module")
def photograph():
    return torch.from_numpy(data.astronaut()[:192, 160:352].copy()).permute(2, 0, 1)[None].float() / 255


def measure(restored, reference):
    return METRICS.build("feature_distance").measure(restored, reference).item()


def test_energy_is_the_amplitude_of_a_wave_whatever_its_phase():
    x = torch.arange(64.0)
    for angle in range(2):  # along x and along y
        for phase in (0.0, 0.7, 1.9):
            wave = 0.5 + 0.2 * torch.cos(2 * math.pi * x / 4 + phase)
            image = wave.expand(64, 64) if angle == 0 else wave[:, None].expand(64, 64)
            fine = energies(image[None, None], gabor_filters())[0][0, :, 16:48, 16:48]
            matched = angle * ORIENTATIONS // 2
            assert fine[matched].sub(0.2).abs().max() < 0.006
            assert fine.mean(dim=(1, 2)).argmax() == matched


def test_flat_images_have_no_energy_and_equal_ones_no_distance(photograph):
    flat = torch.full((1, 1, 40, 40), 0.7)
    assert max(m.max().item() for m in energies(flat, gabor_filters())) < 2e-6
    assert measure(photograph, photograph) == 0


def test_more_blur_and_more_noise_are_worse(photograph):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(photograph.shape, generator=generator)
    for distort in (
        lambda s: torch.from_numpy(gaussian_filter(photograph.numpy(), (0, 0, s, s))),
        lambda s: (photograph + 0.02 * s * noise).clamp(0, 1),
    ):
        values = [measure(distort(s), photograph) for s in (0.5, 1, 2, 4)]
        assert values == sorted(values)
        assert values[0] < values[3] / 2


def test_displaced_texture_is_nearer_than_none():
    """PSNR says the opposite: noise of the same kind against its mean."""
    generator = torch.Generator().manual_seed(0)
    texture, other = torch.rand(2, 1, 3, 96, 96, generator=generator) * 0.5
    flat = torch.full_like(texture, 0.25)
    assert measure(other, texture) < measure(flat, texture) / 2
    psnr = METRICS.build("psnr_y")
    assert psnr.measure(flat, texture) > psnr.measure(other, texture) + 2
