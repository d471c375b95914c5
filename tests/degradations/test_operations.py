import io
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vosr.degradations.canvas import MODES, edge_repeated, filter2d, resize, whole
from vosr.degradations.draws import Draws
from vosr.degradations.jpeg import CHROMA_TABLE, LUMA_TABLE, _table, _table_scale, jpeg
from vosr.degradations.kernels import FAMILIES, LARGEST, blur_kernels, sinc_kernels
from vosr.degradations.noise import mixed_noise, poisson_counts
from vosr.degradations.random_field import normal_field


def one(value):
    return torch.tensor([value], dtype=torch.float64)


@pytest.mark.golden
def test_golden_degradation_kernels(golden, golden_error):
    file = golden("degradation_ops")
    for name, p in file.meta["parameters"].items():
        size = p["size"]
        if name.startswith("kernel"):
            family = torch.tensor([FAMILIES.index(p["family"])])
            beta = one(p["beta"] if p["beta"] is not None else 1.0)
            sigmas = one(p["sigma_x"]), one(p["sigma_y"])
            kernel = blur_kernels(family, torch.tensor([size]), *sigmas, one(p["theta"]), beta)[0]
            border = (LARGEST - size) // 2
            assert float(kernel.sum()) == pytest.approx(1)
            kernel = kernel[border : border + size, border : border + size]
        else:
            kernel = sinc_kernels(torch.tensor([size]), one(p["cutoff"]))[0]
        assert float((kernel - file[name]).abs().max()) <= 1e-6, name
        assert golden_error("degradation_ops", name, kernel) <= 1e-6, name


@pytest.mark.golden
def test_golden_degradation_filter(golden, golden_error):
    file = golden("degradation_ops")
    filtered = filter2d(whole(file["filter.image"]), file["filter.kernels"]).image
    assert golden_error("degradation_ops", "filter.out", filtered) <= 1e-5


def pillow_jpeg(image, quality):
    decoded = []
    for single, q in zip(image, quality):
        buffer = io.BytesIO()
        pixels = (single * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=int(q))
        decoded.append(torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1) / 255)
    return torch.stack(decoded)


def libjpeg_rms(quality):
    """RMS difference from libjpeg, in 8-bit steps, that its whole-number arithmetic accounts for, per image.

    libjpeg rounds YCbCr before its transform, which moves a coefficient by 0.25 steps on average for luma (rounding
    errors have a standard deviation of 1 / sqrt(12)) and by 0.4 for averaged chroma. A move of m carries a coefficient
    over a threshold of its quantisation step q with probability m / q and then changes it by q: mean square m q.
    Chroma reaches RGB with a gain of 0.75 (the matrix to RGB, and averaging while its size is doubled); rounding twice
    while chroma is enlarged and when RGB is rounded here and there adds 4 / 12.
    """
    steps = [_table(table, _table_scale(quality)).mean((1, 2)) for table in (LUMA_TABLE, CHROMA_TABLE)]
    return (0.25 * steps[0] + 0.75 * 0.4 * steps[1] + 4 / 12).sqrt()


def rms(difference):
    return (difference * 255).square().mean((1, 2, 3)).sqrt()


@pytest.mark.parametrize("seed", range(3))
def test_jpeg_of_noise_is_pillows_but_for_whole_number_arithmetic(seed):
    """Noise is the worst case: its coefficients lie anywhere between the thresholds."""
    quality = torch.tensor([30.0, 50.0, 75.0, 95.0, 100.0])
    image = torch.rand(5, 3, 64, 48, generator=torch.Generator().manual_seed(seed)).mul(255).round() / 255
    assert (rms(jpeg(image, quality) - pillow_jpeg(image, quality)) <= libjpeg_rms(quality)).all()


@pytest.mark.golden
def test_golden_degradation_jpeg_is_nearer_to_pillow_than_the_golden_codec(golden):
    """The reference's codec differs from real JPEG in its chroma upsampling; ours follows libjpeg."""
    file = golden("degradation_ops")
    image, quality = file["jpeg.image"], file["jpeg.quality"]
    real = pillow_jpeg(image, quality)
    ours, reference = rms(jpeg(image, quality) - real), rms(file["jpeg.out"] - real)
    assert (ours <= libjpeg_rms(quality)).all()
    assert (ours <= reference / 3).all()
    assert reference[-1] > 2 * libjpeg_rms(quality)[-1]  # the bound tells the two codecs apart


def test_jpeg_of_a_smooth_photograph_is_pillows(golden):
    ramp = torch.linspace(0, 1, 64)
    image = torch.stack([ramp.expand(64, 64), ramp.expand(64, 64).T, 1 - ramp.expand(64, 64)])[None]
    quality = torch.tensor([75.0])
    difference = (jpeg(image, quality) - pillow_jpeg(image, quality)).abs() * 255
    assert float(difference.mean()) < 1  # libjpeg's transform works in whole numbers
    assert float(difference.max()) < 5


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2), st.integers(1, 60), st.integers(1, 60), st.integers(5, 40), st.integers(5, 40))
def test_resize_is_torchs(mode, height, width, in_height, in_width):
    image = torch.rand(
        2, 3, in_height, in_width, generator=torch.Generator().manual_seed(height * 61 + width)
    )
    sizes = torch.tensor([height, 60]), torch.tensor([width, 60])
    canvas = resize(whole(image), *sizes, torch.tensor([mode, 0]))
    options = {} if MODES[mode] == "area" else {"align_corners": False}
    expected = F.interpolate(image[:1], size=(height, width), mode=MODES[mode], **options)
    torch.testing.assert_close(canvas.image[:1, :, :height, :width], expected, atol=2e-5, rtol=0)
    repeated = edge_repeated(canvas.image, canvas.height, canvas.width)
    torch.testing.assert_close(canvas.image, repeated, atol=1e-6, rtol=0)


@pytest.mark.parametrize("mode", ["area", "bilinear", "bicubic"])
@pytest.mark.parametrize("factor", [0.153, 0.77, 1.0, 1.004, 1.021, 1.49])
def test_resize_by_a_factor_is_torchs(mode, factor):
    """Two images of one factor take torch's way, of two factors the matrices'; both step by 1 / factor."""
    image = torch.rand(2, 3, 50, 41, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.interpolate(image, scale_factor=factor, mode=mode)
    for other in (factor, 0.5):
        factors = torch.tensor([factor, other], dtype=torch.float64)
        height, width = ((side * factors).long() for side in (50, 41))
        resized = resize(whole(image), height, width, torch.full((2,), MODES.index(mode)), factors)
        first = resized.image[0, :, : int(height[0]), : int(width[0])]
        torch.testing.assert_close(first, expected[0], atol=5e-6, rtol=0)


def test_exponents_are_drawn_half_below_one_and_half_above():
    """Distribution function against its closed form: uniform on either side of 1, with half of the draws each."""
    draws = Draws(40000, torch.Generator().manual_seed(0))
    beta = draws.exponent((0.5, 4.0))
    for at, share in ((0.5, 0), (0.75, 0.25), (1.0, 0.5), (2.5, 0.75), (4.0, 1)):
        assert float((beta <= at).float().mean()) == pytest.approx(share, abs=0.01)
    plateau = draws.exponent((1.0, 2.0))
    assert float((plateau == 1).float().mean()) == pytest.approx(0.5, abs=0.01)
    assert float((plateau <= 1.5).float().mean()) == pytest.approx(0.75, abs=0.01)
    above = draws.exponent((2.0, 4.0))  # a range without 1 is uniform
    assert float((above <= 3).float().mean()) == pytest.approx(0.5, abs=0.01)
    assert float(above.min()) >= 2


def test_cutoffs_of_sinc_kernels():
    """A kernel's cut-off is read back from its centre and its neighbour, whose ratio falls with it."""
    draws = Draws(4000, torch.Generator().manual_seed(0))
    assert cutoffs(draws.final_sinc()).min() > math.pi / 3 - 0.02
    low = (cutoffs(draws.sinc()) < math.pi / 3 - 0.02).mean()  # five sizes of eight from 13 on, U(pi / 5, pi)
    assert low == pytest.approx(5 / 8 * (1 / 3 - 1 / 5) / (1 - 1 / 5), abs=0.02)


def cutoffs(kernels):
    centre, beside = kernels[:, 10, 10].double(), kernels[:, 10, 11].double()
    grid = torch.linspace(0.5, math.pi, 4000, dtype=torch.float64)
    ratio = (torch.special.bessel_j1(grid) / (2 * math.pi)) / (grid / (4 * math.pi))
    return np.interp((beside / centre).numpy(), ratio.flip(0).numpy(), grid.flip(0).numpy())


def test_fields_are_normal_independent_and_local():
    field = normal_field(torch.tensor([1, 2, 2**31 - 2]), 200, 300)
    assert float(field.mean().abs()) < 0.01
    assert float(field.var()) == pytest.approx(1, abs=0.01)
    assert float((field**4).mean()) == pytest.approx(3, abs=0.05)
    neighbours = {
        "row": field[:, :, 1:] * field[:, :, :-1],
        "column": field[..., 1:] * field[..., :-1],
        "channel": field[:, 0] * field[:, 1],
        "seed": field[0] * field[1],
    }
    for name, product in neighbours.items():
        assert float(product.mean().abs()) < 0.015, name
    assert torch.equal(normal_field(torch.tensor([2]), 50, 60)[0], field[1, :, :50, :60])
    assert bool(field.isfinite().all())


@pytest.mark.parametrize("rate", [1.0, 3.0, 20.0, 200.0])
def test_poisson_counts_have_the_right_moments(rate):
    normal = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    counts = poisson_counts(torch.full_like(normal, rate), normal)
    assert float(counts.mean()) == pytest.approx(rate, rel=0.025)
    assert float(counts.var()) == pytest.approx(rate, rel=0.04)
    assert torch.equal(counts, counts.round())
    assert not poisson_counts(torch.zeros(10), normal[:10]).any()


def test_mixed_noise_follows_the_flags():
    image = torch.full((2, 3, 64, 64), 0.5)
    normal = normal_field(torch.tensor([3, 4]), 64, 64)
    grey, gaussian = torch.tensor([True, False]), torch.tensor([True, True])
    noisy = mixed_noise(image, normal, gaussian, grey, torch.tensor([10.0, 10.0]), torch.tensor([1.0, 1.0]))
    assert torch.equal(noisy[0, 0], noisy[0, 1])
    assert not torch.equal(noisy[1, 0], noisy[1, 1])
    assert float((noisy - image).std() * 255) == pytest.approx(10, rel=0.05)
