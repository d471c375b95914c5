"""``synthetic_checks``: patterns with a known answer, and limits that a restorer has to keep."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosr.evaluation import patterns
from vosr.evaluation.benchmark import Benchmark, BenchmarkImage, Pixels
from vosr.evaluation.degrading import bicubic_reduced

SCALE = 4
FLAT_EVERYWHERE, FLAT_MEAN = 3.0, 1.0
RAMP, GREY, PATTERN_MEAN = 1.5, 1.0, 2.0
MESH = 1.5
PERIODS = (4, 8, 16)
LEGIBLE = -0.1
"""PSNR against bicubic's, dB."""
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


Judge = Callable[[Pixels], dict[str, Verdict]]


@dataclass(frozen=True, eq=False)
class Check:
    """An input, its enlargement, and what is asked of the result."""

    group: str
    lq: Pixels
    judge: Judge
    scale: int = SCALE
    hq: Pixels | None = None


class SyntheticChecks(Benchmark):
    """Patterns drawn here; each result is judged against limits instead of being averaged.

    Flat colours stay within 3/255 everywhere and 1/255 in the mean, gradients within 1.5/255, grey stays grey, fine
    patterns keep their mean colour, no mesh appears (power at periods of 4, 8 and 16 px at most 1.5 times that of its
    neighbours in the spectrum), and text and line art are no further from the truth than bicubic's.
    """

    name = "synthetic_checks"
    has_reference = False
    protocol: dict[str, object] = {  # noqa: RUF012
        "samples": "drawn by vosr.evaluation.patterns",
        "scale": "4, flat colours also 1",
        "version": 1,
        "limits": {
            "flat, everywhere": FLAT_EVERYWHERE,
            "flat, mean": FLAT_MEAN,
            "gradient": RAMP,
            "grey": GREY,
            "pattern, mean": PATTERN_MEAN,
            "mesh": MESH,
            "text and line art, dB against bicubic": LEGIBLE,
        },
    }

    def __init__(self) -> None:
        self._checks = all_checks()

    def names(self) -> list[str]:
        return list(self._checks)

    def load(self, key: str) -> BenchmarkImage:
        check = self._checks[key]
        size = check.lq.shape[1] * check.scale, check.lq.shape[0] * check.scale
        return BenchmarkImage(key, check.group, key, check.lq, size, check.hq)

    def judge(self, key: str, result: Pixels) -> dict[str, Verdict]:
        """Verdicts by name."""
        return self._checks[key].judge(result)


def all_checks() -> dict[str, Check]:
    """Every check by key."""
    return _flats() | _ramps() | _fine_patterns() | _meshes() | _drawings() | _photographs()


def _flats() -> dict[str, Check]:
    greys = [(level,) * 3 for level in (0, 1, 16, 48, 96, 128, 176, 224, 254, 255)]
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 128, 128), (240, 200, 170)]
    wanted = [(color, 16, SCALE) for color in greys + colours]
    wanted += [(color, size, SCALE) for size in (4, 24, 48, 64) for color in ((128,) * 3, (0, 128, 128))]
    wanted += [
        (color, size, 1) for size in (16, 96, 256) for color in ((0,) * 3, (128,) * 3, (240, 200, 170))
    ]
    checks = {}
    for color, size, scale in wanted:
        name = f"flat/{'_'.join(map(str, color))}_{size}px_x{scale}"
        checks[name] = Check(
            "flat colours", patterns.flat(color, size), partial(flatness, color=color), scale
        )
    return checks


def _ramps() -> dict[str, Check]:
    checks = {}
    for name, start, step in (("full", 2, 4), ("slow", 96, 1)):
        for horizontal in (True, False):
            key = f"gradient/{name}_{'horizontal' if horizontal else 'vertical'}"
            ideal = patterns.ideal_ramp(63, start, step, horizontal, SCALE)
            checks[key] = Check(
                "gradients", patterns.ramp(63, start, step, horizontal), partial(_near, ideal=ideal)
            )
    return checks


def _fine_patterns() -> dict[str, Check]:
    pairs = {
        "hard": ((0,) * 3, (255,) * 3),
        "soft": ((96,) * 3, (160,) * 3),
        "color": ((200, 40, 40), (40, 60, 200)),
    }
    checks = {}
    for name, (one, other) in pairs.items():
        drawn = {
            "checkerboard": patterns.checkerboard(one, other, 48),
            "rows": patterns.stripes(one, other, 48, True),
            "columns": patterns.stripes(one, other, 48, False),
        }
        for kind, lq in drawn.items():
            checks[f"pattern/{kind}_{name}"] = Check("1-px patterns", lq, partial(_mean_kept, lq=lq))
    return checks


def _meshes() -> dict[str, Check]:
    return {
        f"mesh/{'grey' if grey else 'color'}_{level}_noise_{sigma}": Check(
            "mesh", patterns.noisy_flat(level, sigma, 96, grey), mesh_verdict
        )
        for level, sigma, grey in ((128, 4, True), (128, 12, False), (60, 6, False), (200, 6, True))
    }


def _drawings() -> dict[str, Check]:
    drawn = {
        "text_24": patterns.screenshot(640, 256, 24),
        "text_40": patterns.screenshot(1024, 400, 40),
        "line_art": patterns.line_art(256),
    }
    checks = {}
    for name, hq in drawn.items():
        lq = bicubic_reduced(hq, SCALE)
        checks[f"drawing/{name}"] = Check("text and line art", lq, partial(_legible, lq=lq, hq=hq), hq=hq)
    return checks


def _photographs() -> dict[str, Check]:
    photograph = patterns.photograph(64)
    return {
        "photograph/flat_border": Check("photographs", patterns.bordered(photograph), _border_flat),
        "photograph/black_and_white": Check("photographs", patterns.grey(photograph), grey_verdict),
    }


def flatness(result: Pixels, color: tuple[int, int, int]) -> dict[str, Verdict]:
    """Largest and mean deviation from one color; of a grey one also between the channels."""
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


def _near(result: Pixels, ideal: NDArray[np.float64]) -> dict[str, Verdict]:
    inside = slice(EDGE, -EDGE)
    error = np.abs(result.astype(np.float64) - ideal)[inside, inside]
    return {"everywhere": Verdict(float(error.max()), RAMP)} | grey_verdict(result)


def _mean_kept(result: Pixels, lq: Pixels) -> dict[str, Verdict]:
    shift = result.mean((0, 1)) - lq.mean((0, 1))
    verdicts = {"mean": Verdict(float(np.abs(shift).max()), PATTERN_MEAN)}
    return verdicts | (grey_verdict(result) if np.ptp(lq, axis=-1).max() == 0 else {})


def _legible(result: Pixels, lq: Pixels, hq: Pixels) -> dict[str, Verdict]:
    bicubic = np.asarray(Image.fromarray(lq).resize((hq.shape[1], hq.shape[0]), Image.Resampling.BICUBIC))
    gain = _psnr(result, hq) - _psnr(bicubic, hq)
    return {"dB above bicubic": Verdict(gain, LEGIBLE, at_least=True)}


def _psnr(image: Pixels, hq: Pixels) -> float:
    return -10 * float(np.log10(max(np.square((image - hq.astype(np.float64)) / 255).mean(), 1e-10)))


def _border_flat(result: Pixels) -> dict[str, Verdict]:
    width = patterns.BORDER_WIDTH * SCALE - EDGE
    sides = (result[:width], result[-width:], result[:, :width], result[:, -width:])
    error = np.concatenate([side.reshape(-1, 3) for side in sides]).astype(np.float64) - patterns.BORDER_COLOR
    return {
        "border, everywhere": Verdict(float(np.abs(error).max()), FLAT_EVERYWHERE),
        "border, mean": Verdict(float(np.abs(error.mean(0)).max()), FLAT_MEAN),
    }
