"""Figures as text, the same in Markdown and on the page."""

from vosr.evaluation.statistics import Estimate
from vosr.metrics import METRICS


def title(metric: str) -> str:
    """Column heading: name, unit and an arrow to the better side."""
    cls = METRICS.get(metric)
    unit = f", {cls.unit}" if cls.unit else ""
    return f"{cls.title}{unit} {'↑' if cls.higher_is_better else '↓'}"


def digits(metric: str) -> int:
    """Decimals worth printing."""
    return METRICS.get(metric).digits


def figure(value: float | None, metric: str) -> str:
    """A single figure."""
    return "–" if value is None else f"{value:.{digits(metric)}f}"


def interval(estimate: Estimate, metric: str) -> str:
    """``[low, high]``, or nothing where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"[{figure(estimate.low, metric)}, {figure(estimate.high, metric)}]"


def difference(estimate: Estimate, metric: str) -> str:
    """``+0.31 [0.20, 0.44]``."""
    return f"{estimate.mean:+.{digits(metric)}f} {interval(estimate, metric)}".strip()


def better(estimate: Estimate, metric: str) -> bool | None:
    """Whether a difference is an improvement; None where its interval holds 0."""
    if not estimate.excludes_zero:
        return None
    return (estimate.mean > 0) == bool(METRICS.get(metric).higher_is_better)


def seconds(value: float | None) -> str:
    """Time per image."""
    return "–" if value is None else f"{value:.3f}" if value < 10 else f"{value:.1f}"


def mebibytes(value: float | None) -> str:
    """Memory."""
    return "–" if value is None else f"{value:,.0f}"


def count(value: int | None) -> str:
    """Parameters."""
    if value is None:
        return "–"
    for size, sign in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:.2f} {sign}"
    return str(value)
