"""The content of a report, whatever form it is written in; JSON and CSV."""

import csv
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from vosr.core.files.atomic import write_atomically
from vosr.core.registry import summary as first_line
from vosr.evaluation.environment import environment
from vosr.evaluation.records import Records
from vosr.evaluation.run import Comparison
from vosr.evaluation.statistics import RESAMPLES
from vosr.evaluation.summary import Summary, summarise
from vosr.metrics import METRICS
from vosr.metrics.protocol import LUMA

INTERVALS = f"95 %, percentile bootstrap of whole photographs, {RESAMPLES} resamples, fixed seed"


@dataclass(frozen=True, eq=False)
class Report:
    """A summary with all that is needed to read it.

    Attributes:
        command: that made it.
        summary: the figures.
        methods: labels in order; the first is what the others are compared to.
        protocols: of the benchmarks.
        definitions: of the metrics.
        unavailable: why other metrics are left out.
        environment: versions and machine of the report.
        notes: what is missing.
        intervals: how they were made.
    """

    command: str
    summary: Summary
    methods: list[str]
    protocols: dict[str, dict[str, object]]
    definitions: dict[str, str]
    unavailable: dict[str, str]
    environment: dict[str, object]
    notes: list[str]
    intervals: str = INTERVALS


def make_report(comparison: Comparison, records: Records, command: str) -> Report:
    """The report of what has been measured so far."""
    summary = summarise(comparison, records)
    notes = [
        f"{count} result{'s' if count > 1 else ''} of {name} not there yet."
        for name, count in summary.missing.items()
    ]
    notes += [f"{record.benchmark}: {record.key} is left out: {record.error}" for record in summary.failed]
    return Report(
        command,
        summary,
        [method.label for method in comparison.methods],
        {benchmark.name: benchmark.protocol for benchmark in comparison.benchmarks},
        {name: first_line(METRICS.get(name)) for name in comparison.measures.metrics},
        comparison.measures.unavailable,
        environment(comparison.device) | {"luma": LUMA},
        notes,
    )


def write_json(report: Report, path: Path) -> None:
    """Everything, the figures of every image included."""
    summary = report.summary
    content = {
        "command": report.command,
        "environment": report.environment,
        "protocols": report.protocols,
        "metrics": report.definitions,
        "unavailable": report.unavailable,
        "intervals": report.intervals,
        "notes": report.notes,
        "methods": summary.descriptions,
        "tables": [asdict(table) for table in summary.tables],
        "checks": [asdict(check) for check in summary.checks],
        "images": [asdict(record) for record in summary.records],
    }
    text = json.dumps(content, indent=1)
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_csv(report: Report, path: Path) -> None:
    """A line per image and method."""
    metrics = list(report.definitions)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["benchmark", "group", "image", "photograph", "model", *metrics, "seconds", "mib", "checks_failed"]
    )
    for record in report.summary.records:
        failed = [
            name
            for name, (value, limit, direction) in record.checks.items()
            if (value > limit if direction == "at most" else value < limit)
        ]
        figures = [record.metrics.get(name) for name in metrics]
        writer.writerow(
            [record.benchmark, record.group, record.key, record.source, record.method]
            + ["" if value is None else value for value in (*figures, record.seconds, record.memory)]
            + ["; ".join(failed)]
        )
    write_atomically(path, lambda temporary: temporary.write_text(text.getvalue(), encoding="utf-8"))


def plain(values: dict[str, object]) -> str:
    """A record in one line, without what is empty."""
    shown = {key: value for key, value in values.items() if value not in (None, "", [], (), {})}
    return "; ".join(f"{key}: {_inline(value)}" for key, value in shown.items())


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_inline(each)}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
