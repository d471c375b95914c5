"""NIQE against BasicSR 1.4.2, whose own function gave these values for scikit-image's photographs."""

import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage import data

from vosr.metrics import METRICS, niqe

BASICSR = {"coffee": (4.079406, 1e-4), "chelsea": (2.689313, 1e-4), "astronaut": (2.991296, 1e-3)}
"""Value and tolerance; BasicSR halves in single precision, which shows where the photograph has flat areas."""


def photograph(name):
    return torch.from_numpy(getattr(data, name)().copy()).permute(2, 0, 1)[None]


@pytest.mark.parametrize("name", BASICSR)
def test_values_of_basicsr(name):
    value, tolerance = BASICSR[name]
    assert METRICS.build("niqe").measure(photograph(name)).item() == pytest.approx(value, abs=tolerance)


def test_published_parameters():
    metric = METRICS.build("niqe")
    assert metric.mean.shape == (36,)
    assert metric.mean[0].item() == pytest.approx(2.6013136801, abs=1e-9)
    assert torch.equal(metric.covariance, metric.covariance.T)
    assert torch.linalg.eigvalsh(metric.covariance).min() > 0


def test_features_at_the_published_mean_have_no_distance():
    metric = METRICS.build("niqe")
    spread = torch.randn(400, 36, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.01
    features = metric.mean + spread - spread.mean(0)
    assert metric.distance(features).item() == pytest.approx(0, abs=1e-9)


def test_fit_finds_the_shape_of_a_gaussian_and_of_a_laplacian():
    generator = torch.Generator().manual_seed(0)
    gaussian = torch.randn(1, 400, 400, dtype=torch.float64, generator=generator)
    uniform = torch.rand(1, 400, 400, dtype=torch.float64, generator=generator) - 0.5
    laplacian = -uniform.sign() * (1 - 2 * uniform.abs()).log()
    for sample, shape, scale in ((gaussian, 2, 2**0.5), (laplacian, 1, 1)):
        fitted, left, right = niqe._asymmetric_fit(sample)
        assert fitted.item() == pytest.approx(shape, rel=0.02)
        assert left.item() == pytest.approx(scale, rel=0.03)
        assert right.item() == pytest.approx(scale, rel=0.03)


def test_blur_is_worse_and_small_images_have_no_value():
    image = photograph("chelsea")
    blurred = torch.from_numpy(gaussian_filter(image.numpy(), (0, 0, 2, 2)))
    metric = METRICS.build("niqe")
    assert metric.measure(blurred) > metric.measure(image) + 2
    assert metric.measure(image[..., :150, :150]).isnan().all()
    assert metric.measure(torch.full((1, 3, 300, 300), 128, dtype=torch.uint8)).isnan().all()
