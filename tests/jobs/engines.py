"""Engines that need no model, and images for them."""

import os
import signal
import time
from dataclasses import dataclass

import numpy as np
from PIL import Image

from vosr.jobs.files import Writing
from vosr.jobs.pipeline import restore_all

MARK = (1, 2, 3)
"""Images that hold this colour in their first pixel cannot be restored by a Doubler."""


class Doubler:
    """Every pixel becomes four; remembers its batches."""

    def __init__(self, seconds=0.0):
        self.batches = []
        self.streamed = 0
        self.seconds = seconds

    @property
    def settings(self):
        return {"model": "doubler", "scale": 2}

    def size(self, width, height):
        if width == 13:
            raise ValueError("13 pixels are unlucky.")
        return 2 * width, 2 * height

    def batch(self, images):
        time.sleep(self.seconds)
        self.batches.append(len(images))
        if any(tuple(image[0, 0]) == MARK for image in images):
            raise RuntimeError("the device is out of memory; set a smaller tile")
        return [image.repeat(2, 0).repeat(2, 1) for image in images]

    def rows(self, image):
        self.streamed += 1
        for row in image:
            yield row[None].repeat(2, 0).repeat(2, 1)


@dataclass(frozen=True)
class Recipe:
    """Opens a Doubler; devices called after what happens on them."""

    seconds: float = 0.0

    def open(self, device):
        if device == "absent":
            raise ValueError("Device 'absent' cannot be used here.")
        if device == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        return Doubler(self.seconds)


def restore_here(jobs, engine=None, **options):
    """Events of a pipeline."""
    events = []
    restore_all(jobs, engine or Doubler(), options.pop("writing", Writing()), events.append, **options)
    return events


def save_noise(path, size=(8, 6), seed=0, first=None, **options):
    """An image of noise; its pixels come back."""
    pixels = np.random.default_rng(seed).integers(4, 256, (size[1], size[0], 3), dtype=np.uint8)
    if first is not None:
        pixels[0, 0] = first
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return pixels
