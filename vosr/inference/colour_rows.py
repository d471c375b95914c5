"""Colour correction over a whole image that arrives in strips (docs/method.md#colour-correction)."""

import tempfile
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from vosr.core.options import ColorFix
from vosr.imaging.color import WAVELET_REACH, wavelet

Strips = Iterator[Tensor]
"""(B, 3, rows, W) from top to bottom, about [0, 1]."""
Reference = Callable[[int, int], Tensor]
"""Rows [top, bottom) of the enlarged input, (B, 3, rows, W) in [0, 1]."""
IN_MEMORY = 2**28
"""Bytes of strips kept in memory before they go to a temporary file."""


def fixed_rows(name: ColorFix, strips: Strips, reference: Reference) -> Strips:
    """The strips after :func:`vosr.imaging.color.apply_color_fix` of the whole image, clamped to [0, 1]."""
    fix = {"adain": adain_rows, "wavelet": wavelet_rows}
    fixed = fix[name](strips, reference) if name in fix else strips
    for strip in fixed:
        yield strip.clamp_(0, 1)


def adain_rows(strips: Strips, reference: Reference) -> Strips:
    """Mean and deviation per channel as in the reference: one pass for the statistics, one for the correction."""
    ours, theirs, top = Moments(), Moments(), 0
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as store:
        shapes = []
        for strip in strips:
            ours.add(strip)
            theirs.add(reference(top, top + strip.shape[2]))
            top += strip.shape[2]
            shapes.append(strip.shape)
            store.write(strip.contiguous().numpy().tobytes())
        gain = theirs.deviation() / ours.deviation()
        shift = theirs.mean() - ours.mean() * gain
        store.seek(0)
        for shape in shapes:
            data = np.frombuffer(store.read(4 * shape.numel()), np.float32)
            yield torch.from_numpy(data.reshape(shape).copy()) * gain.float() + shift.float()


def wavelet_rows(strips: Strips, reference: Reference) -> Strips:
    """Low frequencies of the reference, high ones of the strips; each row needs only its surroundings."""
    held, top, done, last = torch.empty(0), 0, 0, False  # held begins at row top; rows before done are out
    while not last:
        strip = next(strips, None)
        last = strip is None
        if strip is not None:
            held = strip if held.ndim == 1 else torch.cat([held, strip], dim=2)
        end = top + held.shape[2]
        ready = end if last else end - WAVELET_REACH
        if ready > done:
            fixed = wavelet(held, reference(top, end))
            yield fixed[:, :, done - top : ready - top]
            done = ready
            keep = max(top, done - WAVELET_REACH)
            held, top = held[:, :, keep - top :], keep


class Moments:
    """Mean and deviation per image and channel of images that come in strips, in float64."""

    def __init__(self) -> None:
        self.count = 0
        self.sum: Tensor = torch.zeros(())
        self.squares: Tensor = torch.zeros(())

    def add(self, strip: Tensor) -> None:
        values = strip.double()
        self.count += strip.shape[2] * strip.shape[3]
        self.sum = self.sum + values.sum((2, 3), keepdim=True)
        self.squares = self.squares + values.square().sum((2, 3), keepdim=True)

    def mean(self) -> Tensor:
        return self.sum / self.count

    def deviation(self) -> Tensor:
        return (self.squares / self.count - self.mean().square()).clamp_min(0).sqrt().clamp_min(1e-5)
