"""A bank of textures: fractal noise, grain, cracks, hair, lattices, dots and lettering."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from data_pipelines.synthetic.lettering import lettering

Field = NDArray[np.float32]

SIDE = 512
"""Textures are SIDE x SIDE pixels and wrap around. A power of two, so that wrapping is a bit mask."""


def fractal(rng: np.random.Generator, exponent: float, stretch: float = 1.0) -> Field:
    """Gaussian noise whose amplitude spectrum falls as f**-exponent, longer along x by ``stretch``."""
    fy = np.fft.fftfreq(SIDE)[:, None] / stretch
    fx = np.fft.rfftfreq(SIDE)[None, :]
    frequency = np.hypot(fx * stretch, fy * stretch * stretch if stretch == 1 else fy)
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((SIDE, SIDE))) * frequency**-exponent
    return _normalised(np.fft.irfft2(spectrum, s=(SIDE, SIDE)))


def cracks(rng: np.random.Generator) -> Field:
    """Ridged fractal noise: thin dark creases, as in bark, marble or leather."""
    field = np.abs(fractal(rng, rng.uniform(1.2, 2.0)))
    return _normalised(np.minimum(field, rng.uniform(0.15, 0.8)))


def ragged_patches(rng: np.random.Generator) -> Field:
    """Thresholded fractal noise: two materials with a ragged, sharp border, as in foliage against the sky."""
    field = fractal(rng, rng.uniform(0.9, 1.7))
    return _normalised(np.tanh(field * rng.uniform(4, 30)) + 0.15 * fractal(rng, 0.8))


def hair(rng: np.random.Generator) -> Field:
    """Fine, nearly parallel strokes of varied brightness, as in fur, grass and hair."""
    canvas = Image.new("L", (SIDE, SIDE), 96)
    draw = ImageDraw.Draw(canvas)
    spread, bend = rng.uniform(0.02, 0.5), rng.uniform(0, 0.6)
    for _ in range(int(rng.uniform(500, 1100))):
        length, angle = rng.uniform(30, 140), rng.normal(0, spread)
        turn = rng.normal(0, bend)
        x, y = rng.uniform(-60, SIDE, 2)
        steps = np.linspace(0, 1, 5)
        heading = angle + turn * steps
        points = np.stack(
            [x + length * steps * np.cos(heading), y + length * steps * np.sin(heading)], axis=1
        )
        draw.line(points.ravel().tolist(), fill=int(rng.integers(256)), width=int(rng.integers(1, 4)))
    return _normalised(np.asarray(canvas, np.float32))


def lattice(rng: np.random.Generator) -> Field:
    """Bricks, tiles, windows or mesh: a jittered grid of cells of differing brightness with dark joints."""
    canvas = Image.new("L", (SIDE, SIDE), int(rng.integers(0, 120)))
    draw = ImageDraw.Draw(canvas)
    width, height = int(rng.integers(8, 60)), int(rng.integers(8, 40))
    joint, shift = int(rng.integers(1, 6)), int(rng.choice(np.array([0, width // 2])))
    contrast = rng.uniform(0, 60)
    for row, y in enumerate(range(0, SIDE, height)):
        for x in range(-width, SIDE, width):
            left = x + (row % 2) * shift
            level = int(np.clip(rng.normal(170, contrast), 0, 255))
            draw.rectangle([left, y, max(left, left + width - joint), max(y, y + height - joint)], fill=level)
    return _normalised(np.asarray(canvas, np.float32) + 20 * fractal(rng, 0.9))


def dots(rng: np.random.Generator) -> Field:
    """Pebbles, berries or sequins: many small discs, each lighter towards its upper left."""
    canvas = Image.new("L", (SIDE, SIDE), int(rng.integers(0, 256)))
    draw = ImageDraw.Draw(canvas)
    biggest = rng.uniform(4, 24)
    for _ in range(int(120_000 / biggest**1.6)):
        x, y = rng.uniform(0, SIDE, 2)
        radius, level = biggest * rng.uniform(0.3, 1), int(rng.integers(200))
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=level)
        inner = radius * 0.5
        draw.ellipse([x - 0.8 * inner, y - 0.8 * inner, x + inner * 0.6, y + inner * 0.6], fill=level + 50)
    return _normalised(np.asarray(canvas, np.float32))


def texture_bank(rng: np.random.Generator) -> Field:
    """Textures of every kind, (K, SIDE, SIDE) with values in about [-2, 2], mean 0, std about 1."""
    makers: list[Callable[[], Field]] = [
        *[lambda e=e: fractal(rng, e) for e in rng.uniform(0.3, 1.9, 7)],
        *[lambda s=s: fractal(rng, rng.uniform(0.8, 1.4), s) for s in np.exp(rng.uniform(0.7, 2.5, 3))],
        *[lambda: cracks(rng)] * 2,
        *[lambda: ragged_patches(rng)] * 3,
        *[lambda: hair(rng)] * 3,
        *[lambda: lattice(rng)] * 2,
        *[lambda: dots(rng)] * 2,
        *[lambda: _normalised(lettering(rng, SIDE))] * 2,
    ]
    return np.stack([make() for make in makers])


def _normalised(field: NDArray) -> Field:
    field = field - field.mean()
    return np.clip(field / (field.std() + 1e-6), -2.5, 2.5).astype(np.float32)
