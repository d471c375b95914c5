"""Best and worst images of a table as sliders, on the report's page."""

from html import escape

from PIL import Image

from vosr.core.files.atomic import write_atomically
from vosr.evaluation import words
from vosr.evaluation.examples import Example, examples
from vosr.evaluation.records import Record
from vosr.evaluation.report import Report
from vosr.evaluation.run import Comparison
from vosr.evaluation.summary import Table
from vosr.imaging.slider import page_url, slider

INPUT, TRUTH = "input", "ground truth"


class Figures:
    """Makes the figures of a report's page.

    Args:
        comparison: that was made.
        report: of it.
    """

    def __init__(self, comparison: Comparison, report: Report) -> None:
        self._comparison, self._report = comparison, report
        self._benchmarks = {benchmark.name: benchmark for benchmark in comparison.benchmarks}
        self._records: dict[tuple[str, str, str], dict[str, Record]] = {}
        for record in report.summary.records:
            place = record.benchmark, record.group, record.method
            self._records.setdefault(place, {})[record.key] = record

    def of(self, table: Table) -> str:
        """Figures of every method: those where it gains most over the first one, and those where it loses most."""
        first = table.rows[0].method
        shown = [row.method for row in table.rows if row.method != first] or [first]
        parts = []
        for i, method in enumerate(shown):
            own = self._of(table, method)
            base = self._of(table, first) if method != first else {}
            best, worst = examples(table, own, base)
            if not best:
                continue
            against = f" against {escape(first)}" if base else ""
            rows = self._row("Best", best, table, method) + self._row("Worst", worst, table, method)
            summary = f"<summary>{escape(method)}{against}: best and worst images</summary>"
            parts.append(f"<details{' open' if i == 0 else ''}>{summary}{rows}</details>")
        return "".join(parts)

    def _of(self, table: Table, method: str) -> dict[str, Record]:
        return self._records.get((table.benchmark, table.group, method), {})

    def _row(self, title: str, chosen: list[Example], table: Table, method: str) -> str:
        if not chosen:
            return ""
        figures = "".join(self._figure(example, table, method) for example in chosen)
        return f'<h3>{title}</h3><div class="figures">{figures}</div>'

    def _figure(self, example: Example, table: Table, method: str) -> str:
        first = table.rows[0].method
        addresses = self._addresses(table, example.key)
        left = first if first != method else TRUTH if TRUTH in addresses else INPUT
        size = self._of(table, method)[example.key].size
        stage = slider(example.key, size, (left, addresses[left]), (method, addresses[method]))
        choices = "".join(
            f'<select data-side="{side}" aria-label="{escape(example.key)}: image on the {side}">'
            + "".join(
                f'<option value="{address}"{" selected" if name == at else ""}>{escape(name)}</option>'
                for name, address in addresses.items()
            )
            + "</select>"
            for side, at in (("left", left), ("right", method))
        )
        reasons, caption = escape(", ".join(example.reasons)), self._caption(table, example.key, method)
        return (
            f'<figure>{stage}<div class="choose">{choices}</div>'
            f"<figcaption><b>{escape(example.key)}</b> ({reasons})<br>{caption}</figcaption></figure>"
        )

    def _caption(self, table: Table, key: str, method: str) -> str:
        texts = []
        first = table.rows[0].method
        for name in table.metrics[:4]:
            value = self._of(table, method)[key].metrics.get(name)
            base = self._of(table, first).get(key)
            other = None if base is None or method == first else base.metrics.get(name)
            if value is not None:
                beside = "" if other is None else f" ({first} {words.figure(other, name)})"
                texts.append(f"{words.title(name)} {words.figure(value, name)}{beside}")
        return escape("; ".join(texts))

    def _addresses(self, table: Table, key: str) -> dict[str, str]:
        """Addresses of all versions of a sample, by what they are."""
        comparison = self._comparison
        paths = {INPUT: comparison.input_path(table.benchmark, key)}
        truth = comparison.output / "references" / table.benchmark / f"{key}.png"
        if not truth.is_file():
            hq = self._benchmarks[table.benchmark].load(key).hq
            if hq is not None:
                truth.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(truth, lambda temporary: Image.fromarray(hq).save(temporary, "PNG"))
        if truth.is_file():
            paths[TRUTH] = truth
        for method in self._report.methods:
            if key in self._of(table, method):
                paths[method] = comparison.result_path(method, table.benchmark, key)
        return {
            name: page_url(path.relative_to(comparison.output).as_posix()) for name, path in paths.items()
        }
