"""Reduced, degraded there, enlarged as inference does: Pillow is the judge."""

import numpy as np
import pytest
import torch
from PIL import Image

from vosr.degradations import JPEG, GaussianNoise, Grayscale, LowResolution, RealESRGAN
from vosr.degradations.base import to_8_bits
from vosr.degradations.pillow import pillow_bicubic


def noise(batch=1, height=48, width=64, seed=0):
    return to_8_bits(torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed)))


def pillow(image, height, width, how=Image.Resampling.BICUBIC):
    pixels = (image.permute(1, 2, 0) * 255).round().byte().numpy()
    resized = np.array(Image.fromarray(pixels).resize((width, height), how))
    return torch.from_numpy(resized).permute(2, 0, 1) / 255


def steps_apart(a, b):
    return (a - b).abs() * 255


@pytest.mark.parametrize("size", [(12, 16), (16, 21), (24, 32), (48, 64), (96, 128), (31, 40)])
def test_the_interpolation_is_pillows(size):
    image = noise()
    apart = steps_apart(pillow_bicubic(image, *size)[0], pillow(image[0], *size))
    assert float(apart.max()) < 2.01
    assert float((apart > 0.5).float().mean()) < 0.01


@pytest.mark.parametrize(
    "sizes", [(7, 2, 3, 1), (7, 1, 3, 1), (5, 1, 3, 4), (2, 1, 1, 1), (8, 8, 2, 1), (1, 1, 4, 4)]
)
def test_one_column_is_resized_as_any_other(sizes):
    height, width, *size = sizes
    image = noise(2, height, width)
    apart = [
        steps_apart(one, pillow(original, *size))
        for one, original in zip(pillow_bicubic(image, *size), image)
    ]
    assert float(torch.stack(apart).max()) < 2.01


def test_clean_is_what_a_user_makes_with_pillow():
    hq = noise(3)
    for scale in (2, 3, 4):
        lq = LowResolution((float(scale),))(hq)
        for one, original in zip(lq, hq):
            small = pillow(original, round(48 / scale), round(64 / scale))
            apart = steps_apart(one, pillow(small, 48, 64))
            assert float(apart.max()) < 2.01
            assert float((apart > 0.5).float().mean()) < 0.02
    torch.testing.assert_close(LowResolution((1.0,))(hq), hq)


def test_steps_happen_at_the_low_resolution():
    hq = noise(2)
    degradation = LowResolution((4.0,), steps=[Grayscale(), JPEG((40.0, 40.0))])
    small = JPEG((40.0, 40.0))(Grayscale()(pillow_bicubic(hq, 12, 16)))
    torch.testing.assert_close(degradation(hq), pillow_bicubic(small, 48, 64))
    flat = torch.full((1, 3, 256, 256), 0.5)
    strong = LowResolution((4.0,), steps=[GaussianNoise((20.0, 20.0))])(flat)
    grain = (strong[..., 1:] - strong[..., :-1]).std() / (strong.std() * 2**0.5)
    assert float(grain) < 0.4  # neighbours agree: the noise is 4 px wide


def test_a_batch_gives_what_its_images_give():
    hq = noise(12)
    degradation = LowResolution(steps=[GaussianNoise(), JPEG()], modes=("area", "bilinear", "bicubic"))
    params = degradation.sample(12, torch.Generator().manual_seed(0))
    assert len(params.scale.unique()) == 4
    assert len(params.reduce_mode.unique()) == 3
    together = degradation.apply(hq, params)
    for i in range(12):
        torch.testing.assert_close(
            degradation.apply(hq[i : i + 1], params.select(slice(i, i + 1)))[0], together[i]
        )


def test_scales_follow_their_weights():
    scale = LowResolution((1.0, 4.0), (1.0, 3.0)).sample(4000, torch.Generator().manual_seed(0)).scale
    assert float((scale == 4).float().mean()) == pytest.approx(0.75, abs=0.03)


def test_real_esrgan_enlarges_with_pillow_on_request():
    hq = noise(4, 64, 64)
    torchs, pillows = RealESRGAN(4, enlarge="bicubic"), RealESRGAN(4, enlarge="pillow")
    params = torchs.sample(4, torch.Generator().manual_seed(1))
    lq = pillows.apply(hq, params)
    # every fourth pixel of an LQ that is a bicubic enlargement by 4 fixes the rest, up to rounding
    again = pillow_bicubic(pillow_bicubic(lq, 16, 16), 64, 64)
    assert float(steps_apart(lq, again).mean()) < float(steps_apart(torchs.apply(hq, params), again).mean())
    assert float(steps_apart(lq, torchs.apply(hq, params)).max()) > 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"scales": (0.5,)}, "scales must be numbers of at least 1"),
        ({"scales": (2.0, 4.0), "weights": (1.0,)}, "weights must be 2 numbers"),
        ({"modes": ("lanczos",)}, "modes must be some of area"),
        ({"weights": (0.0, 0.0, 0.0, 0.0)}, "one must be positive"),
    ],
)
def test_nonsense_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        LowResolution(**wrong)
