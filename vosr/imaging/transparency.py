"""Transparency beside the restored colours: hidden colours that must not show, and the opacity enlarged."""

import numpy as np
from numpy.typing import NDArray

_ENOUGH = 1e-3


def fill_hidden(colours: NDArray, alpha: NDArray) -> NDArray:
    """Give fully transparent pixels the colours of their visible surroundings.

    What an editor left below them (black, mostly) would otherwise bleed into the visible edge, as the model and
    every resampling look at neighbours. Averages of visible colours over ever larger squares are laid below ever
    smaller ones (pull and push).

    Args:
        colours: (H, W, 3) uint8 or uint16.
        alpha: (H, W).
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return colours
    visible = (~hidden).astype(np.float32)[..., None]
    levels = [(colours * visible, visible)]
    while max(levels[-1][1].shape[:2]) > 1:
        levels.append((_halved(levels[-1][0]), _halved(levels[-1][1])))
    below = np.zeros((1, 1, 3), np.float32)
    for total, weight in reversed(levels):
        height, width = weight.shape[:2]
        below = below.repeat(2, 0).repeat(2, 1)[:height, :width]
        below = np.where(weight > _ENOUGH, total / np.maximum(weight, _ENOUGH), below)
    return np.where(hidden[..., None], np.round(below).astype(colours.dtype), colours)


def _halved(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2 x 2 pixels; what an odd side lacks counts as nothing."""
    height, width = values.shape[:2]
    even = np.pad(values, ((0, height % 2), (0, width % 2), (0, 0)))
    summed: NDArray[np.float32] = even.reshape(len(even) // 2, 2, even.shape[1] // 2, 2, -1).sum((1, 3)) / 4
    return summed


def over_white(colours: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, C) 8-bit colours seen through their opacity (H, W) on white paper."""
    share = alpha[..., None].astype(np.float32) / 255
    return np.round(colours * share + 255 * (1 - share)).astype(np.uint8)
