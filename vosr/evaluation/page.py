"""The report as one HTML page that needs nothing but the files beside it."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from vosr.core.files.atomic import write_atomically
from vosr.evaluation import words
from vosr.evaluation.figures import Figures
from vosr.evaluation.markdown import heading
from vosr.evaluation.published import COLUMNS, DIGITS, SOURCE, TABLE
from vosr.evaluation.report import Report, plain
from vosr.evaluation.run import Comparison
from vosr.evaluation.scatter import scatter
from vosr.evaluation.summary import CheckRow, Row, Table
from vosr.imaging.page import html_page
from vosr.metrics import METRICS


def write_page(comparison: Comparison, report: Report, path: Path) -> None:
    """Write the page, and the ground truth of the images that it shows to ``references`` beside it."""
    figures = Figures(comparison, report)
    sections = [(heading(table), _table(table, figures)) for table in report.summary.tables]
    if report.summary.checks:
        sections.append(("synthetic_checks", _checks(report.summary.checks, report.methods)))
    sections += [("Protocol", "".join(_protocol(report))), ("Published figures", _published())]
    parts = {
        "command": escape(report.command),
        "environment": escape(plain(report.environment)),
        "navigation": " ".join(f'<a href="#s{i}">{escape(name)}</a>' for i, (name, _) in enumerate(sections)),
        "notes": "".join(f'<p class="warn">{escape(note)}</p>' for note in report.notes),
        "sections": "\n".join(
            f'<section id="s{i}"><h2>{escape(name)}</h2>{content}</section>'
            for i, (name, content) in enumerate(sections)
        ),
    }
    text = html_page("vosr.evaluation", "report", "Evaluation: " + ", ".join(report.protocols), parts)
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _table(table: Table, figures: Figures) -> str:
    photographs = "" if table.sources == table.images else f" of {table.sources} photographs"
    intro = (
        f"{table.images} images{photographs}. Mean, 95 % bootstrap interval, and difference to {table.rows[0].method} "
        "on the same images with its interval: coloured where it excludes zero."
    )
    best = {name: _best(table, name) for name in table.metrics}
    columns = ["model", *(words.title(name) for name in table.metrics), "s / image", "MiB", "parameters"]
    rows = [
        [
            f'<td><span class="swatch" style="--c:var(--c{i % 8})"></span>{escape(row.method)}</td>',
            *(_cell(row, name, best[name] == row.method) for name in table.metrics),
            *(
                f"<td>{text}</td>"
                for text in (
                    words.seconds(row.seconds),
                    words.mebibytes(row.memory),
                    words.count(row.parameters),
                )
            ),
        ]
        for i, row in enumerate(table.rows)
    ]
    both = f'<div class="pair">{_grid(columns, rows)}{scatter(table)}</div>'
    return f'<p class="faint">{escape(intro)}</p>{both}{figures.of(table)}'


def _best(table: Table, metric: str) -> str | None:
    """Method with the best mean, if there are several."""
    figures = {
        r.method: r.means[metric].mean if metric in r.means else r.sets.get(metric) for r in table.rows
    }
    known = {method: value for method, value in figures.items() if value is not None}
    if len(known) < 2:
        return None
    sign = 1 if METRICS.get(metric).higher_is_better else -1
    return max(known, key=lambda method: sign * known[method])


def _cell(row: Row, metric: str, best: bool) -> str:
    mark = ' class="best"' if best else ""
    mean = row.means.get(metric)
    if mean is None:
        return f"<td{mark}>{words.figure(row.sets.get(metric), metric)}</td>"
    parts = [words.figure(mean.mean, metric), f"<small>{words.interval(mean, metric)}</small>"]
    if metric in row.differences:
        better = words.better(row.differences[metric], metric)
        colour = "" if better is None else ' class="good"' if better else ' class="bad"'
        parts.append(f"<small{colour}>{words.difference(row.differences[metric], metric)}</small>")
    return f"<td{mark}>{''.join(parts)}</td>"


def _checks(checks: list[CheckRow], methods: list[str]) -> str:
    intro = "Passed of all, and the worst figure; 8-bit levels unless the name says otherwise."
    rows = []
    for check in checks:
        cells = [f"<td>{escape(check.group)}: {escape(check.name)}</td>"]
        cells.append(f"<td>{escape(check.direction)} {check.limit:g}</td>")
        for method in methods:
            if method not in check.passed:
                cells.append("<td>–</td>")
                continue
            good = check.passed[method] == check.total
            text = f"{'✓' if good else '✗'} {check.passed[method]}/{check.total}"
            cells.append(
                f'<td class="{"ok" if good else "no"}">{text}<small>{check.worst[method]:.2f}</small></td>'
            )
        rows.append(cells)
    return f'<p class="faint">{intro}</p>{_grid(["check", "limit", *methods], rows)}'


def _protocol(report: Report) -> Iterator[str]:
    yield "<ul>"
    entries = [(name, plain(protocol)) for name, protocol in report.protocols.items()]
    entries += [(name, plain(description)) for name, description in report.summary.descriptions.items()]
    entries += [(words.title(name), definition) for name, definition in report.definitions.items()]
    entries += [(name, f"unavailable. {reason}") for name, reason in report.unavailable.items()]
    entries.append(("intervals", report.intervals))
    for name, text in entries:
        yield f"<li><b>{escape(name)}</b>: {escape(text)}</li>"
    yield "</ul>"


def _published() -> str:
    rows = [
        [f"<td>{escape(row.model)}</td>", f"<td>{row.steps}</td>"]
        + [f"<td>{value:.{digits}f}</td>" for value, digits in zip(row.figures, DIGITS)]
        for row in TABLE
    ]
    intro = f"Published, not measured here: {SOURCE}. Compare them with rows of the benchmark realsr only."
    return f'<p class="warn">{escape(intro)}</p>{_grid(["model", "steps", *COLUMNS], rows)}'


def _grid(columns: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
