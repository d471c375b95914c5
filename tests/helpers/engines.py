"""A restorer that needs no model, and images for it."""

import os
import signal
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
from PIL import Image

from vosr.inference import Precision, Settings
from vosr.jobs.files import Writing
from vosr.jobs.pipeline import restore_all
from vosr.jobs.recipe import Recipe

MARK = (1, 2, 3)
"""Images that hold this colour in their first pixel cannot be restored by a Doubler."""


class Doubler:
    """In place of a Restorer: every pixel becomes four; remembers its batches."""

    model = SimpleNamespace(card=SimpleNamespace(scale=2))

    def __init__(self, seconds=0.0):
        self.batches = []
        self.streamed = 0
        self.seconds = seconds

    def output_size(self, width, height, settings):
        if width == 13:
            raise ValueError("13 pixels are unlucky.")
        return 2 * width, 2 * height

    def restore_batch(self, images, settings):
        time.sleep(self.seconds)
        self.batches.append(len(images))
        if any(tuple(image[0, 0]) == MARK for image in images):
            raise RuntimeError("the device is out of memory; set a smaller tile")
        return [image.repeat(2, 0).repeat(2, 1) for image in images]

    def watch(self, report, timed=False):
        """It has no stages."""

    def timings(self):
        return {}

    def restore_rows(self, image, settings):
        self.streamed += 1
        for row in image:
            yield row[None].repeat(2, 0).repeat(2, 1)


@dataclass(frozen=True)
class DoublerRecipe(Recipe):
    """Opens a Doubler; devices called after what happens on them."""

    model: str = "doubler"
    settings: Settings = field(default_factory=Settings)
    precision: Precision = field(default_factory=Precision)
    seconds: float = 0.0

    def open(self, device):
        if device == "absent":
            raise ValueError("Device 'absent' cannot be used here.")
        if device == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        return Doubler(self.seconds)


def restore_here(jobs, restorer=None, **options):
    """Events of a pipeline."""
    events = []
    restore_all(
        jobs, restorer or Doubler(), Settings(), options.pop("writing", Writing()), events.append, **options
    )
    return events


def save_noise(path, size=(8, 6), seed=0, first=None, **options):
    """An image of noise; its pixels come back."""
    pixels = np.random.default_rng(seed).integers(4, 256, (size[1], size[0], 3), dtype=np.uint8)
    if first is not None:
        pixels[0, 0] = first
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return pixels
