"""From records to the figures of a report: means, intervals, paired differences, speed, checks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median

from vosr.evaluation.benchmark import Benchmark
from vosr.evaluation.checks import SyntheticChecks
from vosr.evaluation.records import Record, Records
from vosr.evaluation.run import Comparison
from vosr.evaluation.statistics import Estimate, estimate


@dataclass(frozen=True)
class Row:
    """A method in a table.

    Attributes:
        method: label.
        means: by metric.
        differences: to the first method on the samples that both have, by metric; none in the first row.
        sets: figures of metrics that have one per set of images (FID), by metric.
        seconds: median per image.
        memory: peak in MiB.
        parameters: of the whole model; None for a folder of results.
    """

    method: str
    means: dict[str, Estimate]
    differences: dict[str, Estimate]
    sets: dict[str, float]
    seconds: float | None
    memory: float | None
    parameters: int | None


@dataclass(frozen=True)
class Table:
    """A group of a benchmark.

    Attributes:
        benchmark: name.
        group: "" where there is one.
        metrics: names of the columns.
        rows: a method each.
        images: how many samples there are.
        sources: how many photographs they come from.
    """

    benchmark: str
    group: str
    metrics: list[str]
    rows: list[Row]
    images: int
    sources: int


@dataclass(frozen=True)
class CheckRow:
    """A kind of check: how many figures each method keeps within the limit, and its worst."""

    group: str
    name: str
    limit: float
    direction: str
    passed: dict[str, int]
    worst: dict[str, float]
    total: int


@dataclass(frozen=True, eq=False)
class Summary:
    """Everything that a report shows.

    Attributes:
        tables: in the order of benchmarks and groups.
        checks: of ``synthetic_checks``.
        records: up to date, of all methods and benchmarks.
        descriptions: of methods, by label.
        missing: samples that are not done yet, by benchmark.
        failed: samples that could not be read.
    """

    tables: list[Table]
    checks: list[CheckRow]
    records: list[Record]
    descriptions: dict[str, dict[str, object]]
    missing: dict[str, int]
    failed: list[Record]


def summarise(comparison: Comparison, records: Records) -> Summary:
    """Figures of the records that are up to date, whichever shard made them."""
    found: list[Record] = []
    missing: dict[str, int] = {}
    descriptions: dict[str, dict[str, object]] = {}
    for method in comparison.methods:
        for benchmark in comparison.of(method):
            fingerprint = comparison.fingerprint(method, benchmark)
            there = [
                records.find(benchmark.name, method.label, fingerprint, key) for key in benchmark.names()
            ]
            found += [record for record in there if record is not None]
            missing[benchmark.name] = missing.get(benchmark.name, 0) + there.count(None)
            descriptions.setdefault(method.label, records.descriptions.get((method.label, fingerprint), {}))
    good = [record for record in found if record.error is None]
    tables: list[Table] = []
    for benchmark in comparison.benchmarks:
        if not isinstance(benchmark, SyntheticChecks):
            tables += _tables(comparison, benchmark, good, descriptions)
    return Summary(
        tables,
        list(_checks(good)),
        good,
        descriptions,
        {name: count for name, count in missing.items() if count},
        [record for record in found if record.error is not None],
    )


def _tables(
    comparison: Comparison,
    benchmark: Benchmark,
    records: list[Record],
    descriptions: dict[str, dict[str, object]],
) -> Iterator[Table]:
    of_benchmark = [record for record in records if record.benchmark == benchmark.name]
    labels = [method.label for method in comparison.methods if method.offers(benchmark)]
    for group in dict.fromkeys(record.group for record in of_benchmark):
        by_method = {
            label: {r.key: r for r in of_benchmark if r.group == group and r.method == label}
            for label in labels
        }
        metrics = [
            name
            for name in comparison.measures.metrics
            if any(
                _figure(record, name) is not None for rows in by_method.values() for record in rows.values()
            )
        ]
        first = by_method[labels[0]]
        rows = [
            replace(
                _row(by_method[label], first if label != labels[0] else {}, metrics),
                method=label,
                sets=_set_figures(comparison, benchmark, by_method[label]),
                parameters=_parameters(descriptions[label]),
            )
            for label in labels
        ]
        every = {record.key: record.source for rows_ in by_method.values() for record in rows_.values()}
        sets = list(dict.fromkeys(name for row in rows for name in row.sets))
        yield Table(benchmark.name, group, metrics + sets, rows, len(every), len(set(every.values())))


def _row(own: dict[str, Record], first: dict[str, Record], metrics: list[str]) -> Row:
    means, differences = {}, {}
    for name in metrics:
        known = {key: record for key, record in own.items() if record.metrics.get(name) is not None}
        if (mean := _estimate(known, name)) is not None:
            means[name] = mean
        both = {key: record for key, record in known.items() if _figure(first.get(key), name) is not None}
        if (difference := _estimate(both, name, first)) is not None:
            differences[name] = difference
    seconds = [record.seconds for record in own.values() if record.seconds is not None]
    memory = [record.memory for record in own.values() if record.memory is not None]
    spent, peak = median(seconds) if seconds else None, max(memory) if memory else None
    return Row("", means, differences, {}, spent, peak, None)


def _parameters(description: dict[str, object]) -> int | None:
    parameters = description.get("parameters")
    return parameters if isinstance(parameters, int) else None


def _set_figures(comparison: Comparison, benchmark: Benchmark, own: dict[str, Record]) -> dict[str, float]:
    """Figures of the whole set; a set that is not complete yet has none."""
    figures = {}
    for name in comparison.measures.applicable(benchmark.has_reference, per_image=False):
        pairs = ((comparison.result(record), benchmark.load(key)) for key, record in own.items())
        figure = comparison.measures.of_set(name, pairs) if own else None
        if figure is not None:
            figures[name] = figure
    return figures


def _estimate(
    records: dict[str, Record], name: str, first: dict[str, Record] | None = None
) -> Estimate | None:
    values, sources = [], []
    for key, record in records.items():
        base = 0.0 if first is None else _figure(first[key], name)
        value = _figure(record, name)
        assert value is not None
        assert base is not None
        values.append(value - base)
        sources.append(record.source)
    return estimate(values, sources)


def _figure(record: Record | None, name: str) -> float | None:
    return None if record is None else record.metrics.get(name)


def _checks(records: list[Record]) -> Iterator[CheckRow]:
    kinds: dict[tuple[str, str], list[tuple[str, float, float, str]]] = {}
    for record in records:
        for name, (value, limit, direction) in record.checks.items():
            kinds.setdefault((record.group, name), []).append((record.method, value, limit, direction))
    for (group, name), figures in kinds.items():
        _, _, limit, direction = figures[0]
        worst = max if direction == "at most" else min
        methods = list(dict.fromkeys(method for method, *_ in figures))
        values = {method: [value for label, value, *_ in figures if label == method] for method in methods}
        yield CheckRow(
            group,
            name,
            limit,
            direction,
            {m: sum(worst(v, limit) == limit for v in found) for m, found in values.items()},
            {m: worst(found) for m, found in values.items()},
            max(len(found) for found in values.values()),
        )
