"""Colour correction over a whole image that arrives in strips (docs/method.md#colour-correction)."""

import tempfile
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from vosr.core.options import ColorFix
from vosr.imaging.color import ATROUS_REACH, WAVELET_REACH, atrous, wavelet

Strips = Iterator[Tensor]
"""(B, 3, rows, W) from top to bottom, about [0, 1]."""
Reference = Callable[[int, int], Tensor]
"""Rows [top, bottom) of the enlarged input, (B, 3, rows, W) in [0, 1]."""
IN_MEMORY = 2**28
"""Bytes of strips kept in memory before they go to a temporary file."""
EPSILON = 1e-5
"""Added to each std by adain."""


def fixed_rows(name: ColorFix, strips: Strips, reference: Reference, eight_bit: bool = False) -> Strips:
    """The strips after colour correction of the whole image, within [0, 1].

    Args:
        name: of the correction.
        strips: the restored image.
        reference: the enlarged input; for ``wavelet`` by Lanczos interpolation, as in the reference.
        eight_bit: correct 8-bit images, as the reference does: adain and wavelet take rounded values and give
            values that are cut off, not rounded, to multiples of 1/255.
    """
    if name == "none":
        for strip in strips:
            yield strip.clamp_(0, 1)
        return
    clamped = (_levels(strip) if eight_bit else strip.clamp_(0, 1) for strip in strips)
    if name == "adain":
        fixed = adain_rows(clamped, reference)
    elif name == "wavelet":
        fixed = _filtered_rows(clamped, reference, wavelet, WAVELET_REACH)
    else:
        fixed = _filtered_rows(clamped, reference, atrous, ATROUS_REACH)
    for strip in fixed:
        strip = strip.clamp_(0, 1)
        yield strip.mul_(255).floor_().div_(255) if eight_bit and name != "atrous" else strip


def adain_rows(strips: Strips, reference: Reference) -> Strips:
    """Mean and std per channel as in the reference: one pass for the statistics, one for the correction."""
    ours, theirs, top = Moments(), Moments(), 0
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as store:
        shapes = []
        for strip in strips:
            ours.add(strip)
            theirs.add(reference(top, top + strip.shape[2]))
            top += strip.shape[2]
            shapes.append(strip.shape)
            store.write(strip.contiguous().numpy().tobytes())
        means = ours.mean().float(), theirs.mean().float()
        stds = (ours.std() + EPSILON).float(), (theirs.std() + EPSILON).float()
        store.seek(0)
        for shape in shapes:
            data = np.frombuffer(store.read(4 * shape.numel()), np.float32)
            strip = torch.from_numpy(data.reshape(shape).copy())
            yield (strip - means[0]) / stds[0] * stds[1] + means[1]


def _filtered_rows(
    strips: Strips, reference: Reference, fix: Callable[[Tensor, Tensor], Tensor], reach: int
) -> Strips:
    """A correction of which each row needs only ``reach`` rows of its surroundings."""
    held, top, done, last = torch.empty(0), 0, 0, False  # held begins at row top; rows before done are out
    while not last:
        strip = next(strips, None)
        last = strip is None
        if strip is not None:
            held = strip if held.ndim == 1 else torch.cat([held, strip], dim=2)
        end = top + held.shape[2]
        ready = end if last else end - reach
        if ready > done:
            fixed = fix(held, reference(top, end))
            yield fixed[:, :, done - top : ready - top]
            done = ready
            keep = max(top, done - reach)
            held, top = held[:, :, keep - top :], keep


def _levels(strip: Tensor) -> Tensor:
    return strip.clamp_(0, 1).mul_(255).round_().div_(255)


class Moments:
    """Mean and std per image and channel of images that come in strips, in float64."""

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

    def std(self) -> Tensor:
        """Unbiased, as torch's."""
        spread = self.squares - self.sum.square() / self.count
        return (spread / max(1, self.count - 1)).clamp_min(0).sqrt()
