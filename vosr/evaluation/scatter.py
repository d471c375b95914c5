"""The distortion-perception plane of a table, as SVG."""

from html import escape

import numpy as np

from vosr.evaluation import words
from vosr.evaluation.statistics import Estimate
from vosr.evaluation.summary import Table
from vosr.metrics import METRICS

PERCEPTION = ("lpips", "dists", "vgg_features", "feature_distance", "musiq", "niqe")
"""Vertical axis: the first of these that was measured."""
WIDTH, HEIGHT = 460, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 18, 16, 46


def perception_metric(table: Table) -> str | None:
    """The metric of the vertical axis."""
    return next((name for name in PERCEPTION if name in table.metrics), None)


def scatter(table: Table) -> str:
    """Points with 95 % intervals, better towards the upper right; empty without a metric for either axis."""
    across, up = "psnr_y", perception_metric(table)
    if across not in table.metrics or up is None:
        return ""
    points = [
        (i, row.method, row.means[across], row.means[up])
        for i, row in enumerate(table.rows)
        if across in row.means and up in row.means
    ]
    if not points:
        return ""
    horizontal = _Axis([p[2] for p in points], _LEFT, WIDTH - _RIGHT, False)
    vertical = _Axis([p[3] for p in points], HEIGHT - _BOTTOM, _TOP, not METRICS.get(up).higher_is_better)
    label = f"{words.title(across)} against {words.title(up)} of {len(points)} models"
    parts = [f'<svg class="scatter" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">']
    parts += _frame(horizontal, vertical, across, up)
    for i, method, x, y in points:
        parts.append(
            _point(i, method, horizontal, vertical, x, y, f"{method}: {_text(x, across)}, {_text(y, up)}")
        )
    return "\n".join([*parts, "</svg>"])


class _Axis:
    """Maps figures to pixels, with some room around them and their intervals.

    Args:
        estimates: that must lie on it.
        start: pixel of the worse end.
        end: pixel of the better end.
        falling: whether smaller is better.
    """

    def __init__(self, estimates: list[Estimate], start: float, end: float, falling: bool) -> None:
        ends = [v for e in estimates for v in (e.mean, e.low, e.high) if v is not None]
        low, high = min(ends), max(ends)
        room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
        self.low, self.high = low - room, high + room
        self._from, self._to = (end, start) if falling else (start, end)

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self._from + share * (self._to - self._from), 1)

    def ticks(self) -> list[float]:
        """Three to seven round numbers."""
        raw = (self.high - self.low) / 5
        power = 10 ** np.floor(np.log10(raw))
        step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw)
        first = np.ceil(self.low / step)
        return [float(i * step) for i in np.arange(first, np.floor(self.high / step) + 1)]


def _frame(horizontal: _Axis, vertical: _Axis, across: str, up: str) -> list[str]:
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    parts = []
    for tick in horizontal.ticks():
        x = horizontal(tick)
        parts.append(f'<line class="grid" x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom}"/>')
        parts.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    for tick in vertical.ticks():
        y = vertical(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{right}" y2="{y}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{tick:g}</text>')
    middle = (_TOP + bottom) / 2
    parts.append(
        f'<text class="axis" x="{(_LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{escape(words.title(across))} (distortion) better →</text>"
    )
    parts.append(
        f'<text class="axis" transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(words.title(up))} better →</text>"
    )
    return parts


def _point(
    i: int, method: str, horizontal: _Axis, vertical: _Axis, x: Estimate, y: Estimate, title: str
) -> str:
    at_x, at_y = horizontal(x.mean), vertical(y.mean)
    bars = ""
    if x.low is not None and x.high is not None:
        bars += f'<line x1="{horizontal(x.low)}" y1="{at_y}" x2="{horizontal(x.high)}" y2="{at_y}"/>'
    if y.low is not None and y.high is not None:
        bars += f'<line x1="{at_x}" y1="{vertical(y.low)}" x2="{at_x}" y2="{vertical(y.high)}"/>'
    left = at_x > WIDTH * 0.6
    return (
        f'<g class="point" style="--c:var(--c{i % 8})"><title>{escape(title)}</title>{bars}'
        f'<circle cx="{at_x}" cy="{at_y}" r="6"/>'
        f'<text x="{at_x + (-10 if left else 10)}" y="{at_y - 9}" text-anchor="{"end" if left else "start"}">'
        f"{escape(method)}</text></g>"
    )


def _text(estimate: Estimate, metric: str) -> str:
    return f"{words.figure(estimate.mean, metric)} {words.interval(estimate, metric)}".strip()
