"""What one leaf looks like: outline, colour, shading and surface, drawn for a whole scene at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

_HUES = np.array(
    [
        [1.0, 0.55, 0.25],
        [1.0, 0.75, 0.45],
        [0.6, 1.0, 0.35],
        [0.45, 0.75, 1.0],
        [1.0, 0.4, 0.35],
        [0.6, 0.55, 1.0],
    ]
)
"""Earth, skin, foliage, sky, red, violet: mixtures of these cover the gamut of ordinary photographs."""


_POINTS = 24
"""Points of an outline."""


@dataclass(frozen=True)
class Surfaces:
    """Appearance of N surfaces; every array has leading dimension N. Lengths in pixels of the large canvas.

    Attributes:
        colour: mean colour in [0, 1], (N, 3).
        tint: colour change where the texture reads 1, (N, 3).
        texture: index into the texture bank, (N,).
        axes: texture axis (cos, sin) times zoom, (N, 2).
        offset: texture origin, (N, 2).
        wave: angular frequency (per texture pixel), amplitude and sharpness of a grating, (N, 3).
        centre: centre of the shading, (N, 2).
        shade: linear shading x, y and quadratic shading, per pixel and per squared pixel, (N, 3).
    """

    colour: Floats
    tint: Floats
    texture: NDArray[np.int32]
    axes: Floats
    offset: Floats
    wave: Floats
    centre: Floats
    shade: Floats


def palette(rng: np.random.Generator, count: int) -> Floats:
    """``count`` colours that agree with each other like those of one photograph, (count, 3) in [0, 1]."""
    anchors = rng.integers(2, 5)
    hue = rng.dirichlet(np.full(len(_HUES), 0.3), anchors) @ _HUES
    saturation = rng.beta(1.3, 1.8, anchors)
    value = rng.uniform(0.15, 0.9, anchors)
    pick = rng.integers(anchors, size=count)
    value = 1 - np.abs(1 - np.abs(value[pick] + rng.normal(0, 0.2, count)))[:, None]
    saturation = np.clip(saturation[pick] + rng.normal(0, 0.1, count), 0, 0.95)[:, None]
    hue = np.clip(hue[pick] + rng.normal(0, 0.05, (count, 3)), 0, 1)
    return np.asarray(value * (1 - saturation + saturation * hue), np.float32)


def surfaces(
    rng: np.random.Generator, centre: Floats, radius: Floats, textures: int, zoom: float = 1.0
) -> Surfaces:
    """Draw the appearance of one surface per row of ``centre`` (N, 2) and ``radius`` (N,), ``zoom`` times as near."""
    count = len(radius)
    colour = palette(rng, count)
    strength = np.where(rng.random(count) < 0.2, 0, rng.gamma(1.6, 0.09, count)) * rng.uniform(0.2, 1)
    tint = strength[:, None] * (1 + rng.normal(0, 0.25, (count, 3))) * (0.25 + colour)
    angle = rng.uniform(0, 2 * np.pi, count)
    shrink = (
        np.exp(rng.uniform(-0.5, 0.8, count)) / zoom**0.5
    )  # texture has detail at every scale, so half the zoom
    # 0.15 to 1.2 radians per canvas pixel: periods of 2.6 to 21 pixels once the canvas is halved.
    frequency = np.exp(rng.uniform(np.log(0.15), np.log(1.2), count)) / shrink
    amplitude = np.where(rng.random(count) < 0.12, rng.uniform(0.03, 0.3, count), 0)
    shade = rng.normal(0, 1, (count, 3)) * np.array([0.12, 0.12, 0.1]) * rng.gamma(1, 1, (count, 1))
    shade /= np.stack([radius, radius, radius**2], axis=1)
    return Surfaces(
        colour=colour,
        tint=tint.astype(np.float32),
        texture=rng.integers(textures, size=count, dtype=np.int32),
        axes=np.stack([np.cos(angle) * shrink, np.sin(angle) * shrink], axis=1).astype(np.float32),
        offset=rng.uniform(0, 4096, (count, 2)).astype(np.float32),
        wave=np.stack([frequency, amplitude, rng.uniform(1, 6, count)], axis=1).astype(np.float32),
        centre=centre,
        shade=shade.astype(np.float32),
    )


def outlines(rng: np.random.Generator, centre: Floats, radius: Floats) -> list[list[float]]:
    """Polygons of N leaves, each a flat list x0, y0, x1, y1 ...

    Smooth blobs, ellipses, rectangles and irregular polygons of 3 to 8 corners. All have ``_POINTS`` points:
    a polygon with fewer corners repeats them.
    """
    count = len(radius)
    kind = rng.random((count, 1))
    corners = np.where(kind < 0.6, _POINTS, np.where(kind < 0.8, 4, rng.integers(3, 9, (count, 1))))
    corner = np.arange(_POINTS) * corners // _POINTS
    theta = 2 * np.pi * corner / corners
    reach = np.ones((count, _POINTS))
    for order in (2, 3, 5):
        wobble = np.where(kind < 0.35, rng.normal(0, 0.35 / order, (count, 1)), 0)
        reach += wobble * np.cos(order * theta + rng.uniform(0, 2 * np.pi, (count, 1)))
    jagged = np.take_along_axis(rng.uniform(0.5, 1.4, (count, _POINTS)), corner, axis=1)
    reach = np.where(kind < 0.8, reach, jagged) * radius[:, None]
    stretch = np.exp(rng.normal(0, 0.4, (count, 1)) + np.where(rng.random((count, 1)) < 0.12, 1.2, 0)) ** 0.5
    x, y = reach * np.cos(theta) * stretch, reach * np.sin(theta) / stretch
    turn = rng.uniform(0, 2 * np.pi, (count, 1))
    cos, sin = np.cos(turn), np.sin(turn)
    points = np.stack([x * cos - y * sin + centre[:, :1], x * sin + y * cos + centre[:, 1:]], axis=2)
    polygons: list[list[float]] = points.reshape(count, 2 * _POINTS).tolist()
    return polygons
