"""What is measured on the result of a synthetic check, and the limit that it has to keep."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosr.evaluation import patterns
from vosr.evaluation.benchmark import Pixels

SCALE = 4
FLAT_EVERYWHERE, FLAT_MEAN = 3.0, 1.0
RAMP, GREY, PATTERN_MEAN = 1.5, 1.0, 2.0
MESH = 1.5
PERIODS = (4, 8, 16)
LEGIBLE = -0.1
"""PSNR against bicubic's, dB."""
LIMITS: dict[str, object] = {
    "flat, everywhere": FLAT_EVERYWHERE,
    "flat, mean": FLAT_MEAN,
    "gradient": RAMP,
    "grey": GREY,
    "pattern, mean": PATTERN_MEAN,
    "mesh": MESH,
    "text and line art, dB against bicubic": LEGIBLE,
}
EDGE = 8
"""Pixels of the result next to an edge where no answer is known exactly."""


@dataclass(frozen=True)
class Verdict:
    """One figure of a check.

    Attributes:
        value: what was measured; 8-bit levels unless the name says otherwise.
        limit: the worst that passes.
        at_least: whether the limit is a lower one.
    """

    value: float
    limit: float
    at_least: bool = False

    @property
    def passed(self) -> bool:
        """Whether the limit is kept."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def flatness(result: Pixels, color: tuple[int, int, int]) -> dict[str, Verdict]:
    """Largest and mean error against one color; of a grey one also between the channels."""
    error = result.astype(np.float64) - color
    verdicts = {
        "everywhere": Verdict(float(np.abs(error).max()), FLAT_EVERYWHERE),
        "mean": Verdict(float(np.abs(error.mean((0, 1))).max()), FLAT_MEAN),
    }
    return verdicts | (grey_verdict(result) if len(set(color)) == 1 else {})


def grey_verdict(result: Pixels) -> dict[str, Verdict]:
    """Largest difference between channels."""
    return {"grey": Verdict(float(np.ptp(result.astype(np.int16), axis=-1).max()), GREY)}


def mesh(result: Pixels) -> float:
    """Largest power at a period of 4, 8 or 16 px along either axis, over the mean of its neighbours in the spectrum.

    Power of the luma is averaged over the other axis; the neighbours are the bins 2 to 4 places away, since a Hann
    window spreads a line over one bin on each side. Sides that are not multiples of 16 px are cut.
    """
    height, width = (side // 16 * 16 for side in result.shape[:2])
    luma = result[:height, :width] @ np.array([0.299, 0.587, 0.114])
    return max(_line_power(axis) for axis in (luma, luma.T))


def _line_power(luma: NDArray[np.float64]) -> float:
    length = luma.shape[1]
    rows = (luma - luma.mean()) * np.hanning(length + 1)[:-1]
    power = np.square(np.abs(np.fft.rfft(rows, axis=1))).mean(0) + 1e-6
    ratios = []
    for period in PERIODS:
        at = length // period
        beside = [at + step for step in (-4, -3, -2, 2, 3, 4)]
        ratios.append(power[at] / np.mean([power[i] for i in beside if 0 < i < len(power)]))
    return float(max(ratios))


def mesh_verdict(result: Pixels) -> dict[str, Verdict]:
    """See :func:`mesh`."""
    return {"mesh (ratio of powers)": Verdict(mesh(result), MESH)}


def near(result: Pixels, ideal: NDArray[np.float64]) -> dict[str, Verdict]:
    """Largest error against the ideal image, away from its edge."""
    inside = slice(EDGE, -EDGE)
    error = np.abs(result.astype(np.float64) - ideal)[inside, inside]
    return {"everywhere": Verdict(float(error.max()), RAMP)} | grey_verdict(result)


def mean_kept(result: Pixels, lq: Pixels) -> dict[str, Verdict]:
    """Shift of the mean color."""
    shift = result.mean((0, 1)) - lq.mean((0, 1))
    verdicts = {"mean": Verdict(float(np.abs(shift).max()), PATTERN_MEAN)}
    return verdicts | (grey_verdict(result) if np.ptp(lq, axis=-1).max() == 0 else {})


def legible(result: Pixels, lq: Pixels, hq: Pixels) -> dict[str, Verdict]:
    """PSNR above that of bicubic enlargement."""
    bicubic = np.asarray(Image.fromarray(lq).resize((hq.shape[1], hq.shape[0]), Image.Resampling.BICUBIC))
    gain = _psnr(result, hq) - _psnr(bicubic, hq)
    return {"dB above bicubic": Verdict(gain, LEGIBLE, at_least=True)}


def _psnr(image: Pixels, hq: Pixels) -> float:
    return -10 * float(np.log10(max(np.square((image - hq.astype(np.float64)) / 255).mean(), 1e-10)))


def border_flat(result: Pixels) -> dict[str, Verdict]:
    """Largest and mean error of the border against its color."""
    width = patterns.BORDER_WIDTH * SCALE - EDGE
    sides = (result[:width], result[-width:], result[:, :width], result[:, -width:])
    error = np.concatenate([side.reshape(-1, 3) for side in sides]).astype(np.float64) - patterns.BORDER_COLOR
    return {
        "border, everywhere": Verdict(float(np.abs(error).max()), FLAT_EVERYWHERE),
        "border, mean": Verdict(float(np.abs(error.mean(0)).max()), FLAT_MEAN),
    }
