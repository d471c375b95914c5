"""Checks pass what is right and catch what is wrong, each fault by its own check."""

import numpy as np
import pytest
from PIL import Image

from vosr.evaluation.checks import SyntheticChecks
from vosr.evaluation.patterns import checkerboard, ideal_ramp, noisy_flat, ramp
from vosr.evaluation.verdicts import flatness, mesh, mesh_verdict

CHECKS = SyntheticChecks()


def enlarged(sample, kind=Image.Resampling.BICUBIC):
    return np.asarray(Image.fromarray(sample.lq).resize(sample.size, kind))


@pytest.mark.parametrize("name", CHECKS.names())
def test_bicubic_passes_everything(name):
    sample = CHECKS.load(name)
    verdicts = CHECKS.judge(name, enlarged(sample))
    assert verdicts
    assert all(verdict.passed for verdict in verdicts.values()), verdicts


def failed(name, change):
    """Verdicts that a changed bicubic result fails."""
    sample = CHECKS.load(name)
    result = change(enlarged(sample).astype(float)).round().clip(0, 255).astype(np.uint8)
    return {kind for kind, verdict in CHECKS.judge(name, result).items() if not verdict.passed}


def test_each_fault_is_caught_by_its_check():
    def spot(image):
        image[5, 7] += 4
        return image

    def tint(image):
        image[..., 0] += 2
        return image

    grey = "flat/128_128_128_16px_x4"
    assert failed(grey, spot) == {"everywhere"}
    assert failed(grey, lambda image: image + 2) == {"mean"}
    assert failed(grey, tint) == {"mean", "grey"}
    assert failed("gradient/slow_horizontal", lambda image: image + 2) == {"everywhere"}
    assert failed("pattern/checkerboard_color", lambda image: image - 4) == {"mean"}
    assert failed("pattern/rows_soft", tint) == {"grey"}
    assert failed("photograph/black_and_white", tint) == {"grey"}
    assert failed("photograph/flat_border", spot) == {"border, everywhere"}
    assert failed("drawing/text_24", lambda image: 0.8 * image) == {"dB above bicubic"}
    assert failed("drawing/text_24", lambda image: image) == set()


@pytest.mark.parametrize("period", [4, 8, 16])
def test_a_mesh_is_found_at_its_period(period):
    lq = noisy_flat(128, 6, 64, grey=True)
    result = np.asarray(Image.fromarray(lq).resize((256, 256), Image.Resampling.BICUBIC)).astype(float)
    assert mesh(result.astype(np.uint8)) < 1.5
    wave = 2 * np.cos(2 * np.pi * np.arange(256) / period)
    for waves in (wave[None, :, None], wave[:, None, None]):
        verdict = mesh_verdict((result + waves).round().clip(0, 255).astype(np.uint8))
        assert not verdict["mesh (ratio of powers)"].passed


def test_white_noise_has_no_mesh():
    noise = np.random.default_rng(3).integers(0, 256, (250, 270, 3), dtype=np.uint8)
    assert mesh(noise) == pytest.approx(1.1, abs=0.35)


def test_gradients_are_exact_at_their_own_scale():
    for horizontal in (True, False):
        assert np.array_equal(ideal_ramp(63, 2, 4, horizontal, 1), ramp(63, 2, 4, horizontal))


def test_checkerboard_has_the_mean_of_both_colours():
    board = checkerboard((10, 0, 255), (20, 90, 5), 8)
    assert board.mean((0, 1)) == pytest.approx([15, 45, 130])
    assert (board[0, 0] != board[0, 1]).any()
    assert np.array_equal(board[0, 0], board[1, 1])


def test_flatness_of_one_wrong_pixel():
    image = np.full((10, 10, 3), 100, np.uint8)
    image[3, 4] = (110, 100, 100)
    verdicts = flatness(image, (100, 100, 100))
    assert verdicts["everywhere"].value == 10
    assert verdicts["mean"].value == pytest.approx(0.1)
    assert verdicts["grey"].value == 10
