import json
import math
from dataclasses import astuple, replace

import pytest
import torch
from golden_files import GOLDEN
from hypothesis import given, settings
from hypothesis import strategies as st

from vosr.degradations import DEGRADATIONS, GaussianNoise, RealESRGAN, Stage, draws, real_esrgan
from vosr.degradations.canvas import MODES, resize
from vosr.degradations.kernels import blur_kernels, sinc_kernels


def image(batch=1, height=64, width=64, seed=0):
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def flat(params):
    for value in params if isinstance(params, tuple) else astuple(params):
        if isinstance(value, tuple):
            yield from flat(value)
        elif value is not None:
            yield value


def build(name):
    """A component with its defaults; compositions get steps."""
    steps = {
        "steps": [DEGRADATIONS.build(part) for part in ("gaussian_blur", "resize", "poisson_noise", "jpeg")]
    }
    return DEGRADATIONS.build(name, **(steps if name in ("sequence", "shuffle", "choice") else {}))


@pytest.mark.parametrize("name", DEGRADATIONS.names())
def test_same_parameters_same_image(name):
    degradation, hq = build(name), image(3)
    first = degradation.sample(3, torch.Generator().manual_seed(1))
    again = degradation.sample(3, torch.Generator().manual_seed(1))
    assert all(torch.equal(a, b) for a, b in zip(flat(first), flat(again)))
    lq = degradation.apply(hq, first)
    assert torch.equal(lq, degradation.apply(hq, again))
    assert lq.shape == hq.shape
    torch.testing.assert_close(lq * 255, (lq * 255).round())
    other = degradation.apply(hq, degradation.sample(3, torch.Generator().manual_seed(2)))
    assert name == "grayscale" or not torch.equal(lq, other)


@pytest.mark.parametrize("name", DEGRADATIONS.names())
def test_a_batch_is_its_images(name):
    degradation, hq = build(name), image(6)
    params = degradation.sample(6, torch.Generator().manual_seed(3))
    batch = degradation.apply(hq, params)
    single = torch.cat([degradation.apply(hq[i : i + 1], params.select(torch.tensor([i]))) for i in range(6)])
    assert torch.equal(batch, single)


def test_images_of_a_batch_are_drawn_apart_unless_shared():
    hq = image().expand(4, -1, -1, -1)
    params = RealESRGAN().sample(4, torch.Generator().manual_seed(0))
    assert len(set(params.first.factor.tolist())) == 4
    shared = RealESRGAN(per_image=False).sample(4, torch.Generator().manual_seed(0))
    assert len(set(shared.first.factor.tolist())) == 1
    assert torch.equal(shared.first.kernel[0], shared.first.kernel[3])
    assert len(set(shared.first_quality.tolist())) == 4
    lq = RealESRGAN(per_image=False).apply(hq, shared)
    assert not torch.equal(lq[0], lq[1])


def test_kernels_of_real_esrgan_take_the_references_draws(monkeypatch):
    """Exponents of the stages half below and half above 1, cut-offs of the final sinc at least pi / 3."""
    drawn = []

    def noted(family, size, sigma_x, sigma_y, theta, beta):
        drawn.append((family, beta))
        return blur_kernels(family, size, sigma_x, sigma_y, theta, beta)

    monkeypatch.setattr(draws, "blur_kernels", noted)
    params = RealESRGAN(final_sinc_probability=1.0).sample(8000, torch.Generator().manual_seed(0))
    for family, beta in drawn:
        generalised, plateau = beta[(family == 2) | (family == 3)], beta[family >= 4]
        assert float((generalised < 1).float().mean()) == pytest.approx(0.5, abs=0.03)
        assert float((plateau == 1).float().mean()) == pytest.approx(0.5, abs=0.03)
    assert len(drawn) == 2
    # a larger cut-off lowers the neighbour of the centre against it
    lowest = sinc_kernels(torch.tensor([21]), torch.tensor([math.pi / 3]))[0]
    final = params.final_kernel
    ratio, most = final[:, 10, 11] / final[:, 10, 10], lowest[10, 11] / lowest[10, 10]
    assert float(ratio.max()) == pytest.approx(float(most), abs=2e-3)


def test_the_first_resize_steps_by_its_factor(monkeypatch):
    """The reference calls the first resize with the factor: 52 x 0.77 = 40.04 rows are 40, which are 1 / 0.77 apart."""
    made = []

    def noted(canvas, height, width, mode, *factors):
        made.append((canvas.image, resize(canvas, height, width, mode, *factors)))
        return made[-1][1]

    monkeypatch.setattr(real_esrgan, "resize", noted)
    degradation = RealESRGAN(4, Stage(blur_probability=0.0))
    params = degradation.sample(1, torch.Generator().manual_seed(0))
    params.first.factor.fill_(0.77)
    params.first.mode.fill_(MODES.index("bilinear"))
    degradation.apply(image(1, 52, 44), params)
    before, after = made[0]
    factor = float(params.first.factor)
    expected = torch.nn.functional.interpolate(before, scale_factor=factor, mode="bilinear")
    assert expected.shape[2:] == (40, 33)
    torch.testing.assert_close(after.image[..., :40, :33], expected, atol=1e-5, rtol=0)
    by_size = torch.nn.functional.interpolate(before, size=(40, 33), mode="bilinear")
    assert float((by_size - expected).abs().max()) > 0.01


def test_gaussian_noise_has_the_drawn_strength():
    hq = torch.full((2, 3, 128, 128), 0.5)
    degradation = GaussianNoise(sigma=(20.0, 20.0))
    lq = degradation(hq, torch.Generator().manual_seed(0))
    assert float((lq - hq).std() * 255) == pytest.approx(20, rel=0.02)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(4, 20), st.integers(4, 20), st.integers(0, 10**6))
def test_any_size_gives_finite_images(batch, scale, height, width, seed):
    hq = image(batch, height * scale, width * scale, seed)
    lq = RealESRGAN(scale)(hq, torch.Generator().manual_seed(seed))
    assert lq.shape == hq.shape
    assert bool(lq.isfinite().all())
    assert 0 <= float(lq.min()) <= float(lq.max()) <= 1


def ranges(low, high):
    """Two numbers in order."""
    return st.tuples(st.floats(low, high), st.floats(low, high)).map(lambda pair: tuple(sorted(pair)))


def shares(count):
    return (
        st.lists(st.floats(0, 1), min_size=count, max_size=count)
        .filter(lambda values: sum(values) > 0)
        .map(tuple)
    )


STAGES = st.builds(
    Stage,
    blur_probability=st.floats(0, 1),
    sinc_probability=st.floats(0, 1),
    sigma=ranges(0.01, 20),
    family_probabilities=shares(6),
    generalized_beta=ranges(0.1, 8),
    plateau_beta=ranges(0.1, 8),
    resize_probabilities=shares(3),
    resize_range=ranges(0.02, 3),
    gaussian_probability=st.floats(0, 1),
    gaussian_sigma=ranges(0, 200),
    poisson_scale=ranges(0, 20),
    grey_probability=st.floats(0, 1),
)


@settings(max_examples=25, deadline=None)
@given(STAGES, STAGES, ranges(1, 100), st.sampled_from([1, 2, 4]), st.booleans(), st.integers(0, 10**6))
def test_any_parameters_give_finite_images(first, second, quality, scale, per_image, seed):
    degradation = RealESRGAN(scale, first, second, quality, per_image=per_image)
    hq = image(2, 32, 48, seed)
    lq = degradation(hq, torch.Generator().manual_seed(seed))
    assert bool(lq.isfinite().all())
    assert 0 <= float(lq.min()) <= float(lq.max()) <= 1
    flat_hq = torch.full_like(hq, 0.5)
    calm = RealESRGAN(
        scale,
        replace(first, gaussian_sigma=(0, 0), gaussian_probability=1.0),
        replace(second, gaussian_sigma=(0, 0), gaussian_probability=1.0),
        quality,
    )
    # a kernel or resize that does not sum to one, or is not a number, would show on a flat image
    grey = calm(flat_hq, torch.Generator().manual_seed(seed))
    assert float((grey - 0.5).abs().max()) < 0.15


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sigma": (0, 1)}, "sigma must be 0 < low <= high"),
        ({"sigma": (2, 1)}, "sigma must be"),
        ({"gaussian_sigma": (-1, 1)}, "gaussian_sigma must be 0 <= low <= high"),
        ({"poisson_scale": (float("nan"), 1)}, "poisson_scale must be"),
        ({"resize_range": (0, 1)}, "resize_range must be"),
        ({"resize_probabilities": (0, 0, 0)}, "resize_probabilities must not be negative"),
        ({"family_probabilities": (1, 1, 1, 1, 1, -1)}, "family_probabilities must not be negative"),
        ({"grey_probability": 1.5}, "grey_probability must be within 0 to 1"),
    ],
)
def test_bad_stages(arguments, message):
    with pytest.raises(ValueError, match=message):
        Stage(**arguments)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([name for name in DEGRADATIONS.names() if name != "real_esrgan"]),
    st.integers(1, 3),
    st.integers(1, 24),
    st.integers(1, 24),
    st.integers(0, 10**6),
)
def test_blocks_take_any_size(name, batch, height, width, seed):
    hq = image(batch, height, width, seed)
    lq = build(name)(hq, torch.Generator().manual_seed(seed))
    assert lq.shape == hq.shape
    assert bool(lq.isfinite().all())
    assert 0 <= float(lq.min()) <= float(lq.max()) <= 1


def test_values_outside_the_range_and_nan_never_leave():
    hq = image(1, 64, 64) * 4 - 1
    hq[0, 0, 3, 3] = float("nan")
    for name in DEGRADATIONS.names():
        lq = build(name)(hq, torch.Generator().manual_seed(0))
        assert bool(lq.isfinite().all()), name
        assert 0 <= float(lq.min()) <= float(lq.max()) <= 1, name


@pytest.mark.parametrize(
    ("hq", "message"),
    [
        (torch.rand(1, 1, 64, 64), r"\(B, 3, H, W\)"),
        (torch.rand(3, 64, 64), r"\(B, 3, H, W\)"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), "uint8"),
        (torch.rand(1, 3, 62, 64), "multiple of 4"),
        (torch.rand(1, 3, 8, 64), "too small"),
    ],
)
def test_bad_images(hq, message):
    with pytest.raises(ValueError, match=message):
        RealESRGAN(4)(hq)


@pytest.mark.parametrize(
    ("arguments", "message"), [({"scale": 0}, "scale"), ({"jpeg_quality": (0, 200)}, "jpeg_quality")]
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        RealESRGAN(**arguments)


@pytest.mark.slow
@pytest.mark.golden
def test_golden_degradation_statistics(report_golden):
    """Quantiles over 2 000 draws on the reference's crop, tolerances of the issue."""
    from skimage import data

    expected = json.loads((GOLDEN / "degradation_statistics.json").read_text())
    crop = torch.from_numpy(data.astronaut()[0:256, 100:356].copy()).permute(2, 0, 1)[None] / 255
    degradation, generator = RealESRGAN(), torch.Generator().manual_seed(0)
    measured = {"psnr_db": [], "gradient_ratio": [], "mean_shift": []}
    for _ in range(250):
        lq = degradation(crop.expand(8, -1, -1, -1), generator)
        measured["psnr_db"].append(-10 * (lq - crop).square().mean((1, 2, 3)).log10())
        sharpness = lq.diff(dim=-1).abs().mean((1, 2, 3)) / crop.diff(dim=-1).abs().mean()
        measured["gradient_ratio"].append(sharpness)
        measured["mean_shift"].append((lq - crop).mean((1, 2, 3)))
    quantiles = torch.tensor(expected["quantiles"])
    quartile = (quantiles >= 0.25) & (quantiles <= 0.75)
    tolerances = {"psnr_db": (0.25, 0.5), "gradient_ratio": (0.03, 0.05), "mean_shift": (0.002, 0.002)}
    for name, (inner, outer) in tolerances.items():
        error = (torch.cat(measured[name]).quantile(quantiles) - torch.tensor(expected[name])).abs()
        report_golden("degradation_statistics", f"{name}, share of its tolerance", float(error.max()) / outer)
        assert float(error[quartile].max()) <= inner, name
        assert float(error.max()) <= outer, name
