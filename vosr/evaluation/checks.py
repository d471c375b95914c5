"""``synthetic_checks``: patterns with a known answer, and limits that a restorer has to keep."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from vosr.evaluation import patterns
from vosr.evaluation.benchmark import Benchmark, BenchmarkImage, Pixels
from vosr.evaluation.degrading import bicubic_reduced
from vosr.evaluation.verdicts import (
    LIMITS,
    SCALE,
    Verdict,
    border_flat,
    flatness,
    grey_verdict,
    legible,
    mean_kept,
    mesh_verdict,
    near,
)

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
        "limits": LIMITS,
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
                "gradients", patterns.ramp(63, start, step, horizontal), partial(near, ideal=ideal)
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
            checks[f"pattern/{kind}_{name}"] = Check("1-px patterns", lq, partial(mean_kept, lq=lq))
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
        checks[f"drawing/{name}"] = Check("text and line art", lq, partial(legible, lq=lq, hq=hq), hq=hq)
    return checks


def _photographs() -> dict[str, Check]:
    photograph = patterns.photograph(64)
    return {
        "photograph/flat_border": Check("photographs", patterns.bordered(photograph), border_flat),
        "photograph/black_and_white": Check("photographs", patterns.grey(photograph), grey_verdict),
    }
