"""Building blocks of degradations: closed forms, and what compositions do."""

import io

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from vosr.cli.names import expand_config
from vosr.degradations import (
    JPEG,
    Choice,
    ColorJitter,
    DefocusBlur,
    GaussianBlur,
    GaussianNoise,
    Grayscale,
    MotionBlur,
    PoissonNoise,
    Resize,
    Sequence,
    Shuffle,
    SpeckleNoise,
    WebP,
)
from vosr.degradations.base import to_8_bits
from vosr.degradations.draws import Draws
from vosr.degradations.jpeg import jpeg
from vosr.degradations.kernels import disk_kernels, gaussian_kernels, motion_kernels
from vosr.degradations.noise import luma


def image(batch=1, side=48, seed=0):
    return to_8_bits(torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(seed)))


def moments(kernel):
    axis = torch.arange(kernel.shape[-1], dtype=kernel.dtype) - kernel.shape[-1] // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return [float((kernel * f).sum()) for f in (x, y, x * x, y * y, x * y)]


def test_moments_of_the_kernels():
    zero = torch.zeros(1, dtype=torch.float64)
    gaussian = gaussian_kernels(31, zero + 2, zero + 3, zero)
    assert moments(gaussian) == pytest.approx([0, 0, 4, 9, 0], abs=1e-3)
    motion = motion_kernels(31, zero + 12, zero)
    assert moments(motion) == pytest.approx([0, 0, 144 / 12, 0, 0], rel=0.05, abs=1e-9)
    slanted = motion_kernels(31, zero + 12, zero + np.pi / 4)
    assert moments(slanted) == pytest.approx([0, 0, 6, 6, 6], rel=0.1, abs=1e-9)
    disk = disk_kernels(21, zero + 6)
    assert moments(disk) == pytest.approx([0, 0, 9, 9, 0], rel=0.05, abs=1e-9)  # r^2 / 4


@pytest.mark.parametrize("blur", [GaussianBlur(), MotionBlur(), DefocusBlur()])
def test_blurs_keep_flat_images_and_soften_others(blur):
    generator = torch.Generator().manual_seed(0)
    flat = torch.full((3, 3, 24, 24), 100 / 255)
    torch.testing.assert_close(blur(flat, generator), flat)
    noisy = image(3)
    assert bool((blur(noisy, generator).std((1, 2, 3)) < noisy.std((1, 2, 3))).all())
    kernels = blur.kernels(Draws(50, generator))
    torch.testing.assert_close(kernels.sum((1, 2)), torch.ones(50))
    edge = torch.cat([kernels[:, 0], kernels[:, -1], kernels[:, :, 0], kernels[:, :, -1]], dim=1)
    assert float(edge.abs().max()) < 5e-3  # nothing of weight is cut off


def test_motion_blurs_along_its_direction_alone():
    stripes = torch.zeros(1, 3, 32, 32)
    stripes[:, :, ::2] = 1  # constant along x
    horizontal = MotionBlur(length=(9.0, 9.0), angle=(0.0, 0.0))
    torch.testing.assert_close(horizontal(stripes), stripes)


def test_resize_by_one_changes_nothing_and_loses_detail_otherwise():
    hq = image(2)
    torch.testing.assert_close(Resize((1.0, 1.0))(hq), hq)
    blocks = hq.unfold(2, 4, 4).unfold(3, 4, 4).mean((-1, -2))
    reduced = Resize((4.0, 4.0), ("area",))(hq)
    expected = torch.nn.functional.interpolate(blocks, scale_factor=4, mode="area")
    torch.testing.assert_close(
        reduced, to_8_bits(expected), atol=1.01 / 255, rtol=0
    )  # a tie may round either way


def test_poisson_variance_grows_with_the_signal():
    ramp = (torch.arange(256) / 255).view(1, 1, 1, 256).expand(1, 3, 512, 256)
    noisy = PoissonNoise((1.0, 1.0))(ramp, torch.Generator().manual_seed(0))
    for level in (64, 128):
        error = (noisy - ramp)[..., level] * 255
        assert float(error.mean()) == pytest.approx(0, abs=0.6)
        assert float(error.var()) == pytest.approx(255**2 * (level / 255) / 256, rel=0.08)


def test_speckle_is_proportional_to_the_signal():
    hq = torch.cat([torch.full((1, 3, 128, 128), v) for v in (0.2, 0.6)])
    error = SpeckleNoise((0.1, 0.1))(hq, torch.Generator().manual_seed(0)) - hq
    assert float(error[0].std()) == pytest.approx(0.02, rel=0.03)
    assert float(error[1].std()) == pytest.approx(0.06, rel=0.03)


def test_compressions_are_their_codecs():
    hq = image(2)
    for degradation in (JPEG((40.0, 40.0)), WebP((40.0, 40.0))):
        coded = degradation(hq)
        for one, expected in zip(coded, hq):
            buffer = io.BytesIO()
            pixels = (expected.permute(1, 2, 0) * 255).round().byte().numpy()
            kind = {"JPEG": "JPEG", "WebP": "WEBP"}[type(degradation).__name__]
            Image.fromarray(pixels).save(buffer, kind, quality=40)
            real = torch.from_numpy(np.array(Image.open(buffer).convert("RGB"))).permute(2, 0, 1) / 255
            assert float((one - real).abs().mean()) * 255 < (2.5 if kind == "JPEG" else 1e-4)
    torch.testing.assert_close(JPEG((40.0, 40.0))(hq), jpeg(hq, torch.full((2,), 40.0)))


def test_colour():
    hq, same = image(), (1.0, 1.0)
    none = ColorJitter(same, same, same, (0.0, 0.0))
    assert float((none(hq) - hq).abs().max()) * 255 <= 1
    brighter = ColorJitter((1.3, 1.3), same, same, (0.0, 0.0))
    assert float((brighter(hq) - (hq * 1.3).clamp_max(1)).abs().max()) * 255 <= 1.01
    grey = ColorJitter(same, same, (0.0, 0.0), (0.0, 0.0))
    assert float((grey(hq) - luma(hq)).abs().max()) * 255 <= 1.01
    torch.testing.assert_close(Grayscale()(hq), to_8_bits(luma(hq).expand(-1, 3, -1, -1)))
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    turned = ColorJitter(same, same, same, (120.0, 120.0))(red)
    torch.testing.assert_close(turned, red.roll(1, dims=1))


GREY, BLUR = Grayscale(), GaussianBlur((2.0, 2.0), 0.0)


def test_a_sequence_applies_its_steps_in_order():
    hq = image(2)
    dark = ColorJitter((0.5, 0.5), (1.0, 1.0), (1.0, 1.0), (0.0, 0.0))
    torch.testing.assert_close(Sequence([dark, JPEG((30.0, 30.0))])(hq), JPEG((30.0, 30.0))(dark(hq)))
    torch.testing.assert_close(Sequence([GREY, BLUR], [0.0, 1.0])(hq), BLUR(hq))
    torch.testing.assert_close(Sequence([GREY, BLUR], [0.0, 0.0])(hq), hq)


def test_a_shuffle_takes_every_order_and_a_choice_follows_its_weights():
    draws = Draws(3000, torch.Generator().manual_seed(0))
    orders = Shuffle([GREY, BLUR, GREY]).plan(draws)
    assert (orders.sort(dim=1).values == torch.arange(3)).all()
    counts = torch.unique(orders, dim=0, return_counts=True)[1]
    assert len(counts) == 6
    assert float((counts / 500 - 1).abs().max()) < 0.2
    left_out = Shuffle([GREY, BLUR], [1.0, 0.25]).plan(draws)
    assert float((left_out == 1).any(dim=1).float().mean()) == pytest.approx(0.25, abs=0.03)
    chosen = Choice([GREY, BLUR], [3.0, 1.0]).plan(draws)
    assert float((chosen == 0).float().mean()) == pytest.approx(0.75, abs=0.03)


def test_a_choice_gives_each_image_what_its_step_gives():
    hq = image(16)
    degradation = Choice([GREY, BLUR])
    params = degradation.sample(16, torch.Generator().manual_seed(0))
    lq, plan = degradation.apply(hq, params), params.plan[:, 0]
    torch.testing.assert_close(lq[plan == 0], GREY(hq[plan == 0]))
    difference = (lq[plan == 1] - BLUR(hq[plan == 1])).abs() * 255
    assert float(difference.max()) < 1.01  # the last bits of a sum hang on memory alignment: a tie may round
    assert float((difference > 0.01).float().mean()) < 1e-3
    assert 0 < int(plan.sum()) < 16


def test_compositions_are_written_with_names():
    text = """
    model:
      init_args:
        degradation:
          class_path: sequence
          init_args:
            steps: [gaussian_blur, {class_path: choice, init_args: {steps: [jpeg, webp]}}]
    """
    expanded = expand_config(yaml.safe_load(text))["model"]["init_args"]["degradation"]
    assert expanded["class_path"] == "vosr.degradations.compose.Sequence"
    first, second = expanded["init_args"]["steps"]
    assert first["class_path"] == "vosr.degradations.blur.GaussianBlur"
    inner = [step["class_path"].rsplit(".")[-1] for step in second["init_args"]["steps"]]
    assert inner == ["JPEG", "WebP"]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: GaussianBlur((0.0, 2.0)), "sigma must be 0 < low <= high"),
        (lambda: MotionBlur((9.0, 3.0)), "length must be"),
        (lambda: Resize((0.0, 2.0)), "factor must be"),
        (lambda: Resize(modes=("lanczos",)), "modes must be some of area"),
        (lambda: JPEG((0.0, 50.0)), "quality must be 0 <"),
        (lambda: WebP((50.0, 101.0)), "within 1 to 100"),
        (lambda: Grayscale(1.5), "probability must be within 0 to 1"),
        (lambda: Sequence([]), "at least one"),
        (lambda: Sequence([GREY], [0.5, 0.5]), "1 numbers, one for each step"),
        (lambda: Choice([GREY, BLUR], [0.0, 0.0]), "2 numbers of which one is positive"),
        (lambda: GaussianNoise((5.0, 1.0)), "sigma must be"),
    ],
)
def test_bad_arguments(build, message):
    with pytest.raises(ValueError, match=message):
        build()
