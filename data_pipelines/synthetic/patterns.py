"""Images that are right or wrong at a glance: flat colours, gradients, stripes, checkerboards and steps."""

import numpy as np
from numpy.typing import NDArray

from data_pipelines.synthetic.drawn import Drawn

Field = NDArray[np.floating]


class Patterns(Drawn):
    """Flat colours, gradients, stripes, checkerboards, waves and steps, in two colours."""

    def __call__(self, index: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng([self.seed, index, 3])
        y, x = np.mgrid[: self.size, : self.size].astype(np.float32)
        makers = (_flat, _flat, _gradient, _gradient, _stripes, _checkerboard, _waves, _steps)
        mix = makers[int(rng.integers(len(makers)))](rng, x, y)[..., None]
        first, second = _colours(rng)
        return np.asarray(np.clip(first + (second - first) * mix + 0.5, 0, 255), np.uint8)


def _colours(rng: np.random.Generator) -> tuple[Field, Field]:
    """Two colours: greys, black and white, near to each other, or any."""
    kind = rng.random()
    first, second = rng.integers(0, 256, (2, 3)).astype(np.float32)
    if kind < 0.15:
        first, second = np.zeros(3), np.full(3, 255.0)
        return (first, second) if rng.random() < 0.5 else (second, first)
    if kind < 0.5:
        first[:], second[:] = first[0], second[0]
    elif kind < 0.6:  # corners of the cube
        first, second = np.where(first > 127, 255.0, 0.0), np.where(second > 127, 255.0, 0.0)
    if rng.random() < 0.25:
        second = first + (second - first) * rng.uniform(0.01, 0.15)
    return first, second


def _flat(rng: np.random.Generator, x: Field, y: Field) -> Field:
    return np.zeros_like(x)


def _gradient(rng: np.random.Generator, x: Field, y: Field) -> Field:
    """Along a direction or from a centre; the images' own size or a part of it, then flat."""
    side, angle, reach = len(x), rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.5)
    if rng.random() < 0.3:
        cx, cy = rng.uniform(0, side, 2)
        return np.clip(np.hypot(x - cx, y - cy) / (side * reach), 0, 1)
    along = (x / side - 0.5) * np.cos(angle) + (y / side - 0.5) * np.sin(angle)
    return np.clip(along / reach + 0.5, 0, 1)


def _stripes(rng: np.random.Generator, x: Field, y: Field) -> Field:
    """Of 1 to 8 pixels, along rows, columns or a diagonal."""
    width = int(rng.integers(1, 9)) if rng.random() < 0.6 else 1
    along = (x, y, x + y, x - y)[int(rng.integers(4))]
    return (along // width) % 2


def _checkerboard(rng: np.random.Generator, x: Field, y: Field) -> Field:
    width = int(rng.integers(1, 17)) if rng.random() < 0.5 else 1
    return (x // width + y // width) % 2


def _waves(rng: np.random.Generator, x: Field, y: Field) -> Field:
    """A sinusoid, or rings that become finer outwards up to the finest that pixels show."""
    if rng.random() < 0.5:
        rings = ((x - len(x) / 2) ** 2 + (y - len(x) / 2) ** 2) * np.pi / len(x)
        return 0.5 + 0.5 * np.cos(rings * rng.uniform(0.3, 1))
    frequency, angle = rng.uniform(0.05, np.pi), rng.uniform(0, np.pi)
    return 0.5 + 0.5 * np.cos(frequency * (x * np.cos(angle) + y * np.sin(angle)))


def _steps(rng: np.random.Generator, x: Field, y: Field) -> Field:
    """Rectangles of flat shades that overlap."""
    field, side = np.zeros_like(x), len(x)
    for _ in range(int(rng.integers(1, 14))):
        (left, top), (width, height) = rng.integers(-side // 4, side, 2), rng.integers(1, side, 2)
        field[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)] = rng.random()
    return field
