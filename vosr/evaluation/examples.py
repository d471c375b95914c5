"""Which images a report shows: where a method gains and loses most, by distortion and by perception."""

from dataclasses import dataclass

from vosr.evaluation.records import Record
from vosr.evaluation.scatter import perception_metric
from vosr.evaluation.summary import Table
from vosr.metrics import METRICS

EACH = 2
"""Best and worst images of a method by each metric."""


@dataclass(frozen=True)
class Example:
    """An image that is shown, and why.

    Attributes:
        key: of the sample.
        reasons: such as "best PSNR-Y".
    """

    key: str
    reasons: list[str]


def examples(
    table: Table, own: dict[str, Record], first: dict[str, Record]
) -> tuple[list[Example], list[Example]]:
    """Best and worst samples of a method, by the gain over the first one, or by its figure if it is the first.

    Args:
        table: of the samples.
        own: records of the method by key.
        first: those of the first method; empty for itself.
    """
    best: dict[str, list[str]] = {}
    worst: dict[str, list[str]] = {}
    for metric in (name for name in ("psnr_y", perception_metric(table)) if name in table.metrics):
        assert metric is not None
        sign = 1 if METRICS.get(metric).higher_is_better else -1
        gains = {}
        for key, record in own.items():
            value, base = record.metrics.get(metric), _base(first, key, metric)
            if value is not None and base is not None:
                gains[key] = sign * (value - base)
        ranked = sorted(gains, key=lambda key: -gains[key])
        number = min(EACH, len(ranked) // 2) or min(1, len(ranked))
        for key in ranked[:number]:
            best.setdefault(key, []).append(f"best {METRICS.get(metric).title}")
        for key in ranked[: -number - 1 : -1] if len(ranked) > 1 else []:
            worst.setdefault(key, []).append(f"worst {METRICS.get(metric).title}")
    return [Example(*each) for each in best.items()], [Example(*each) for each in worst.items()]


def _base(first: dict[str, Record], key: str, metric: str) -> float | None:
    if not first:
        return 0.0
    return first[key].metrics.get(metric) if key in first else None
