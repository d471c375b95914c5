"""Dead leaves: scenes of overlapping textured surfaces whose statistics are those of photographs.

Sizes follow r**-3, the one law that makes the image look alike at every scale and gives it the power
spectrum of about 1 / f**2 that photographs have (Lee, Mumford and Huang 2001). Networks trained on such
images restore real photographs nearly as well as those trained on photographs (Achddou, Gousseau and
Ladjal 2022).
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from data_pipelines.synthetic.drawn import Drawn
from data_pipelines.synthetic.leaves import Floats, Surfaces, outlines, surfaces
from data_pipelines.synthetic.lettering import font, words
from data_pipelines.synthetic.textures import SIDE, texture_bank

NEAREST = 8.0
"""Most that a scene is enlarged; photographs hold broad calm areas and close-ups as well as crowds."""

IMAGES_PER_BANK = 64
"""Neighbouring images share one texture bank: building it costs as much as ten images."""


class DeadLeaves(Drawn):
    """Scenes of one or two layers of leaves, as one camera would develop them."""

    def __call__(self, index: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng([self.seed, index])
        bank = _bank(self.seed, index // IMAGES_PER_BANK)
        side = 2 * self.size  # drawn at twice the size and averaged: antialiased edges
        zoom = float(np.exp(rng.uniform(0, np.log(NEAREST))))  # from a distant crowd of leaves to a close-up
        scene, _ = _layer(rng, bank, side, zoom, cover=3.0)
        if rng.random() < 0.6:
            scene = _in_front(rng, scene, *_layer(rng, bank, side, zoom, cover=rng.uniform(0.3, 1.2)))
        scene = scene.reshape(self.size, 2, self.size, 2, 3)
        scene = (scene[:, 0, :, 0] + scene[:, 0, :, 1] + scene[:, 1, :, 0] + scene[:, 1, :, 1]) / 4
        if rng.random() < 0.7:  # lenses and demosaicing: photographs are not sharp to the pixel
            scene = _blurred(np.clip(scene, 0, 1), rng.uniform(0.3, 1.2))
        return _developed(rng, scene)


def _in_front(rng: np.random.Generator, back: Floats, front: Floats, mask: Floats) -> Floats:
    """Compose a sharp front layer over a back layer that may be out of focus and lies in its shadow."""
    if rng.random() < 0.4:
        back = _blurred(back, rng.uniform(1, 8))
    if rng.random() < 0.6:
        depth = rng.uniform(2, 16)
        shift = (rng.normal(0, 1, 2) * depth).astype(int)
        shadow = _blurred(np.roll(mask, shift, (0, 1)), depth)
        back = back * (1 - rng.uniform(0.2, 0.7) * shadow)
    return back + mask * (front - back)


def _layer(
    rng: np.random.Generator, bank: Floats, side: int, zoom: float, cover: float
) -> tuple[Floats, Floats]:
    """Paint leaves over each other until they would cover the canvas ``cover`` times.

    Returns:
        The image (side, side, 3) and the mask (side, side, 1) of what is covered by leaves.
    """
    largest = side * rng.uniform(0.2, 0.6) * min(zoom, 2)
    smallest = min(np.exp(rng.uniform(np.log(5), np.log(50))) * zoom, largest / 2)
    mean_area = 2 * np.pi * np.log(largest / smallest) / (smallest**-2 - largest**-2)
    count = int(min(cover * side * side / mean_area, 1400)) + 1
    draws = rng.uniform(size=count)
    radius = (smallest**-2 - draws * (smallest**-2 - largest**-2)) ** -0.5
    radius[0] = side
    centre = rng.uniform(-0.05 * side, 1.05 * side, (count, 2))
    canvas = Image.new("I", (side, side), 0)
    draw = ImageDraw.Draw(canvas)
    for label, polygon in enumerate(outlines(rng, centre[1:], radius[1:]), start=1):
        draw.polygon(polygon, fill=label)
    marks = _marks(rng, draw, side, zoom, count)
    centre = np.concatenate([centre, rng.uniform(0, side, (marks, 2))]).astype(np.float32)
    radius = np.concatenate([radius, np.full(marks, side / 2)]).astype(np.float32)
    labels = np.asarray(canvas, np.intp)
    image = _painted(labels, surfaces(rng, centre, radius, len(bank), zoom), bank)
    return image, (labels > 0).astype(np.float32)[..., None]


def _marks(rng: np.random.Generator, draw: ImageDraw.ImageDraw, side: int, zoom: float, label: int) -> int:
    """Draw wires, twigs and words as further surfaces, from ``label`` on; returns how many."""
    lines = int(rng.poisson(6 / zoom)) if rng.random() < 0.5 else 0
    for line in range(lines):
        start, heading = (
            rng.uniform(0, side, 2),
            rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.25, 8)),
        )
        steps = np.exp(rng.normal(np.log(side / 14), 0.6)) * np.stack([np.cos(heading), np.sin(heading)], 1)
        points = start + np.cumsum(steps, axis=0)
        draw.line(
            points.ravel().tolist(), fill=label + line, width=int(zoom * rng.uniform(1, 8)), joint="curve"
        )
    texts = int(rng.integers(1, 5)) if rng.random() < 0.3 else 0
    for text in range(lines, lines + texts):
        size = int(np.exp(rng.uniform(np.log(16), np.log(110))))
        place = rng.uniform(-0.1 * side, 0.8 * side, 2).tolist()
        draw.text(place, words(rng, int(rng.integers(3, 30))), fill=label + text, font=font(size))
    return lines + texts


def _painted(labels: NDArray[np.intp], look: Surfaces, bank: Floats) -> Floats:
    """Colour of every pixel of a label map (side, side), as (side, side, 3), about [0, 1]."""

    def at(
        column: NDArray,
    ) -> NDArray:  # take on one contiguous column is ten times faster than indexing rows
        return np.ascontiguousarray(column).take(labels)

    x = np.arange(len(labels), dtype=np.float32)[None, :]
    y = x.T
    cos, sin = at(look.axes[:, 0]), at(look.axes[:, 1])
    u, v = cos * x + sin * y + at(look.offset[:, 0]), cos * y - sin * x + at(look.offset[:, 1])
    wrap = SIDE - 1
    place = (at(look.texture) * SIDE + (v.astype(np.int32) & wrap)) * SIDE + (u.astype(np.int32) & wrap)
    relief = bank.ravel().take(place)
    x, y = x - at(look.centre[:, 0]), y - at(look.centre[:, 1])
    light = 1 + at(look.shade[:, 0]) * x + at(look.shade[:, 1]) * y + at(look.shade[:, 2]) * (x * x + y * y)
    light += at(look.wave[:, 1]) * np.tanh(at(look.wave[:, 2]) * np.sin(at(look.wave[:, 0]) * u))
    np.clip(light, 0.15, 2.5, out=light)
    return np.stack([at(look.colour[:, c]) * light + at(look.tint[:, c]) * relief for c in range(3)], axis=2)


def _developed(rng: np.random.Generator, scene: Floats) -> NDArray[np.uint8]:
    """Exposure, contrast and white balance of one camera; now and then a photograph without colour."""
    scene = np.clip(scene, 0, 1.3)
    if rng.random() < 0.06:
        scene = np.repeat(scene.mean(axis=2, keepdims=True), 3, axis=2)
    gain = np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.04, 3))
    return np.asarray(
        np.clip((scene * gain.astype(np.float32)) ** np.exp(rng.normal(0, 0.2)) * 255 + 0.5, 0, 255), np.uint8
    )


def _blurred(field: Floats, sigma: float) -> Floats:
    """Gaussian blur of (H, W, C) in 8-bit steps; only ever seen under sharp detail or as a shadow."""
    eight_bit = np.clip(field * 255 + 0.5, 0, 255).astype(np.uint8)
    blurred = Image.fromarray(eight_bit.squeeze()).filter(ImageFilter.GaussianBlur(sigma))
    return np.asarray(blurred, np.float32).reshape(field.shape) / 255


@lru_cache(maxsize=2)
def _bank(seed: int, block: int) -> Floats:
    return texture_bank(np.random.default_rng([seed, block, 1]))
