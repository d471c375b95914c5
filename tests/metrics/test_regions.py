"""Flatness, grey, colour shift, consistency and flicker in closed form."""

import math

import pytest
import torch
import torch.nn.functional as F

from vosr.metrics import METRICS


def grey(level, size=32):
    return torch.full((1, 3, size, size), level, dtype=torch.uint8)


def checkerboard(size=32):
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return ((x + y) % 2)[None, None].expand(1, 3, -1, -1)


def test_flatness_of_a_checkerboard_on_grey():
    """In 9 x 9 pixels 40 or 41 are high: variance 40 * 41 / 81 ** 2 times the step squared."""
    metric = METRICS.build("flatness")
    restored = (grey(100) + 6 * checkerboard()).to(torch.uint8)
    expected = 6 * math.sqrt(40 * 41) / 81
    assert metric.measure(restored, grey(80), grey(30)).item() == pytest.approx(expected, abs=1e-4)
    assert metric.measure(restored, None, grey(80, 8)).item() == pytest.approx(expected, abs=1e-4)
    assert metric.measure(grey(200), grey(100), grey(100)).item() == 0


def test_flatness_looks_at_flat_areas_only():
    generator = torch.Generator().manual_seed(0)
    texture = torch.randint(0, 255, (1, 3, 32, 64), dtype=torch.uint8, generator=generator)
    reference = torch.cat([texture, grey(90).repeat(1, 1, 1, 2)], dim=2)
    metric = METRICS.build("flatness")
    assert metric.measure(reference, reference, reference).item() == 0
    assert metric.measure(texture, texture, texture).isnan().all()
    assert not metric.measure(texture, grey(90).repeat(1, 1, 1, 2), texture).isnan().any()


def test_grey_of_a_colour_cast():
    metric = METRICS.build("grey")
    restored = grey(100) + torch.tensor([0, 3, 9], dtype=torch.uint8).view(1, 3, 1, 1)
    assert metric.measure(restored, lq=grey(100, 8)).item() == pytest.approx(9, abs=1e-4)
    assert metric.measure(grey(7), lq=grey(100, 8)).item() == 0
    assert metric.measure(restored, lq=restored).isnan().all()


def test_colour_shift_is_that_of_the_worst_channel():
    metric = METRICS.build("colour_shift")
    restored = grey(100) + torch.tensor([0, 3, 9], dtype=torch.uint8).view(1, 3, 1, 1)
    assert metric.measure(restored, grey(104), grey(0, 8)).item() == pytest.approx(5, abs=1e-4)
    assert metric.measure(restored, None, grey(100, 8)).item() == pytest.approx(9, abs=1e-4)
    pattern = (255 * checkerboard()).to(torch.uint8)
    assert metric.measure(grey(127), pattern, grey(127, 8)).item() == pytest.approx(0.5, abs=1e-4)


def test_consistency_of_an_offset_and_of_the_reduction_itself():
    metric = METRICS.build("consistency")
    assert metric.measure(grey(110), lq=grey(100, 8)).item() == pytest.approx(
        20 * math.log10(255 / 10), abs=1e-3
    )
    assert metric.measure(grey(110), lq=grey(100)).item() == pytest.approx(
        20 * math.log10(255 / 10), abs=1e-3
    )
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.25
    lq = F.interpolate(image, scale_factor=0.25, mode="bicubic", antialias=True)
    assert metric.measure(image, lq=lq).item() > 45
    assert metric.measure(image.flip(3), lq=lq).item() < 35


def test_flicker_beyond_the_reference():
    metric = METRICS.build("flicker")
    moving = torch.cat([grey(100), grey(110), grey(100), grey(110)])
    still = grey(100).repeat(4, 1, 1, 1)
    metric.update(moving, still)
    assert metric.compute().item() == pytest.approx(10 * 219 / 255, abs=1e-3)
    metric.update(still, moving)
    assert metric.compute().item() == pytest.approx(5 * 219 / 255, abs=1e-3)
    metric.update(still[:1], moving[:1])
    assert metric.films == 2


def test_lq_is_required():
    with pytest.raises(ValueError, match="needs the LQ image"):
        METRICS.build("grey").measure(grey(1))
