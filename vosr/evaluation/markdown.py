"""The report as Markdown."""

from collections.abc import Iterator

from vosr.evaluation import words
from vosr.evaluation.published import COLUMNS, DIGITS, SOURCE, TABLE
from vosr.evaluation.report import Report, plain
from vosr.evaluation.statistics import Estimate
from vosr.evaluation.summary import CheckRow, Table


def markdown(report: Report) -> str:
    """Tables of every group, checks, protocol and published figures."""
    lines = ["# Evaluation", "", f"`{report.command}`", ""]
    lines += [f"**Incomplete:** {note}" for note in report.notes] + ([""] if report.notes else [])
    for table in report.summary.tables:
        lines += [*_table(table, table.rows[0].method), ""]
    if report.summary.checks:
        lines += [*_checks(report.summary.checks, report.methods), ""]
    lines += [*_protocol(report), "", *_published()]
    return "\n".join(lines) + "\n"


def heading(table: Table) -> str:
    """Name of a table."""
    return f"{table.benchmark}: {table.group}" if table.group else table.benchmark


def _table(table: Table, first: str) -> Iterator[str]:
    yield f"## {heading(table)}"
    yield ""
    photographs = "" if table.sources == table.images else f" of {table.sources} photographs"
    yield f"{table.images} images{photographs}; mean, 95 % bootstrap interval, paired difference to {first}."
    yield ""
    columns = [words.title(name) for name in table.metrics]
    yield from _grid(
        ["model", *columns, "s / image", "MiB", "parameters"],
        [
            [
                row.method,
                *(_cell(row.means.get(name), row.sets.get(name), name) for name in table.metrics),
                words.seconds(row.seconds),
                words.mebibytes(row.memory),
                words.count(row.parameters),
            ]
            for row in table.rows
        ],
    )
    compared = [row for row in table.rows if row.differences]
    if compared:
        yield ""
        yield from _grid(
            [f"minus {first}", *columns],
            [
                [
                    row.method,
                    *(
                        words.difference(row.differences[name], name) if name in row.differences else "–"
                        for name in table.metrics
                    ),
                ]
                for row in compared
            ],
        )


def _cell(mean: Estimate | None, of_set: float | None, name: str) -> str:
    if mean is not None:
        return f"{words.figure(mean.mean, name)} {words.interval(mean, name)}".strip()
    return words.figure(of_set, name)


def _checks(checks: list[CheckRow], methods: list[str]) -> Iterator[str]:
    yield "## synthetic_checks"
    yield ""
    yield "Passed of all, and the worst figure; 8-bit levels unless the name says otherwise."
    yield ""
    rows = []
    for check in checks:
        cells = []
        for method in methods:
            if method not in check.passed:
                cells.append("–")
                continue
            mark = "✓" if check.passed[method] == check.total else "✗"
            cells.append(f"{mark} {check.passed[method]}/{check.total}, {check.worst[method]:.2f}")
        rows.append([check.group, check.name, f"{check.direction} {check.limit:g}", *cells])
    yield from _grid(["check", "figure", "limit", *methods], rows)


def _protocol(report: Report) -> Iterator[str]:
    yield "## Protocol"
    yield ""
    for benchmark, protocol in report.protocols.items():
        yield f"- **{benchmark}**: {plain(protocol)}"
    for method, description in report.summary.descriptions.items():
        yield f"- **{method}**: {plain(description)}"
    for name, definition in report.definitions.items():
        yield f"- {words.title(name)}: {definition}"
    for name, reason in report.unavailable.items():
        yield f"- {name}: unavailable. {reason}"
    yield f"- Intervals: {report.intervals}"
    yield f"- Machine: {plain(report.environment)}"


def _published() -> Iterator[str]:
    yield "## Published figures (not measured here)"
    yield ""
    yield f"{SOURCE}."
    yield ""
    rows = [
        [row.model, str(row.steps), *(f"{value:.{digits}f}" for value, digits in zip(row.figures, DIGITS))]
        for row in TABLE
    ]
    yield from _grid(["published", "steps", *COLUMNS], rows)


def _grid(columns: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
