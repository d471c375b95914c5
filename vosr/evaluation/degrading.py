"""Degradations of benchmarks: LQ at its own small size, fixed by the sample's key."""

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from kornia.filters import gaussian_blur2d
from PIL import Image

from vosr.core.seeds import derive_seed, generator_for
from vosr.degradations import DEGRADATIONS
from vosr.evaluation.benchmark import Pixels

Degrade = Callable[[Pixels, str], Pixels]
"""HQ and key -> LQ."""
BLUR, NOISE, QUALITY = 1.5, 8.0, 60


def degradation(name: str, scale: int, args: dict[str, Any] | None = None) -> Degrade:
    """The degradation called ``name``.

    Args:
        name: "clean" (Pillow's bicubic reduction), "moderate" (Gaussian blur of sigma 1.5 px, bicubic reduction,
            noise of 8/255, JPEG of quality 60), or a registered degradation.
        scale: size of the HQ over that of the LQ.
        args: of a registered degradation.

    Raises:
        UnknownNameError: no such degradation.
    """
    if name == "clean":
        return lambda hq, key: bicubic_reduced(hq, scale)
    if name == "moderate":
        return partial(moderate, scale=scale)
    args = dict(args or {})
    if name == "real_esrgan":
        args = {"scale": scale, "enlarge": "area"} | args
    built = DEGRADATIONS.build(name, **args)

    def apply(hq: Pixels, key: str) -> Pixels:
        image = torch.from_numpy(hq.copy()).permute(2, 0, 1)[None].float() / 255
        lq = built.apply(image, built.sample(1, generator_for("benchmark", name, key)))
        return _unrepeated((lq[0] * 255).round().byte().permute(1, 2, 0).numpy(), built.scale)

    return apply


def bicubic_reduced(hq: Pixels, scale: int) -> Pixels:
    """Pillow's bicubic reduction (antialiased, a = -0.5)."""
    size = hq.shape[1] // scale, hq.shape[0] // scale
    return np.asarray(Image.fromarray(hq).resize(size, Image.Resampling.BICUBIC))


def moderate(hq: Pixels, key: str, scale: int) -> Pixels:
    """Gaussian blur, bicubic reduction, Gaussian noise and Pillow's JPEG; the noise is seeded by ``key``."""
    image = torch.from_numpy(hq.copy()).permute(2, 0, 1)[None].float()
    blurred = gaussian_blur2d(image, (13, 13), (BLUR, BLUR))[0].permute(1, 2, 0)
    small = bicubic_reduced(blurred.round().clamp(0, 255).byte().numpy(), scale).astype(np.float64)
    rng = np.random.default_rng(derive_seed("benchmark", "moderate", key))
    noisy = np.clip(np.round(small + rng.normal(0, NOISE, small.shape)), 0, 255).astype(np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(noisy).save(encoded, "JPEG", quality=QUALITY)
    return np.asarray(Image.open(encoded, formats=("JPEG",)).convert("RGB"))


def _unrepeated(lq: Pixels, scale: int) -> Pixels:
    """The small image behind an LQ that only repeats its pixels; any other LQ as it is."""
    small = lq[::scale, ::scale]
    repeated = small.repeat(scale, 0).repeat(scale, 1)
    same = repeated.shape == lq.shape and np.array_equal(repeated, lq)
    return np.ascontiguousarray(small) if same else lq
