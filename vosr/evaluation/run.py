"""Runs methods on benchmarks: restore, save, measure, record; what is done already is not done again."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image

from vosr.core.files.atomic import write_atomically
from vosr.core.shard import JobShard
from vosr.evaluation.benchmark import Benchmark, BenchmarkImage, Pixels
from vosr.evaluation.checks import SyntheticChecks
from vosr.evaluation.image_files import read_image
from vosr.evaluation.measure import Measures
from vosr.evaluation.memory import PeakMemory, resident
from vosr.evaluation.methods import Method
from vosr.evaluation.records import Record, Records

log = logging.getLogger(__name__)
Advance = Callable[[str, int], None]
"""Called with the method and how many samples were finished."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Evaluation of methods on benchmarks, and where its results are written.

    Args:
        output: folder of the report.
        methods: the first is what the others are compared to.
        benchmarks: with their samples.
        measures: metrics.
        device: that models run on.
    """

    output: Path
    methods: list[Method]
    benchmarks: list[Benchmark]
    measures: Measures
    device: torch.device

    def fingerprint(self, method: Method, benchmark: Benchmark) -> str:
        """Of a method on a benchmark: records of another are out of date."""
        text = f"{method.fingerprint()} {json.dumps(benchmark.protocol, sort_keys=True)}"
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()

    def result_path(self, method: str, benchmark: str, key: str) -> Path:
        """Where a result is kept."""
        return self.output / "results" / method / benchmark / f"{key}.png"

    def input_path(self, benchmark: str, key: str) -> Path:
        """Where an LQ is kept, for other tools and for the report's page."""
        return self.output / "inputs" / benchmark / f"{key}.png"

    def result(self, record: Record) -> Pixels:
        """The saved result of a record."""
        return read_image(self.result_path(record.method, record.benchmark, record.key))

    def of(self, method: Method) -> list[Benchmark]:
        """Benchmarks that a method takes part in."""
        return [benchmark for benchmark in self.benchmarks if method.offers(benchmark)]

    def check(self) -> None:
        """Refuse what cannot be done, before anything is opened.

        Raises:
            ValueError: a folder of results that lacks some.
        """
        for method in self.methods:
            for benchmark in self.of(method) or self.benchmarks:
                method.check(benchmark, benchmark.names())

    def run(self, records: Records, shard: JobShard, advance: Advance) -> None:
        """Do what is not done yet of this shard's samples.

        Raises:
            ValueError: a method that cannot be opened or fails on a sample.
        """
        for method in self.methods:
            benchmarks = self.of(method)
            fingerprints = {b.name: self.fingerprint(method, b) for b in benchmarks}
            missing = []
            for benchmark in benchmarks:
                keys = [key for key in benchmark.names() if shard.holds(key)]
                todo = [
                    key
                    for key in keys
                    if not self._finished(records, benchmark, method, fingerprints[benchmark.name], key)
                ]
                advance(method.label, len(keys) - len(todo))
                missing += [(benchmark, key) for key in todo]
            if missing:
                for _ in self._run_method(method, missing, fingerprints, records):
                    advance(method.label, 1)

    def _finished(
        self, records: Records, benchmark: Benchmark, method: Method, fingerprint: str, key: str
    ) -> bool:
        record = records.find(benchmark.name, method.label, fingerprint, key)
        if record is None or not self.result_path(method.label, benchmark.name, key).is_file():
            return False
        return not self._wanted(benchmark, record.metrics.keys(), has_reference=None)

    def _wanted(self, benchmark: Benchmark, there: Iterable[str], has_reference: bool | None) -> list[str]:
        """Metrics that a record still lacks."""
        if isinstance(benchmark, SyntheticChecks):
            return []
        reference = benchmark.has_reference if has_reference is None else has_reference
        return [
            name for name in self.measures.applicable(reference, per_image=True) if name not in set(there)
        ]

    def _run_method(
        self,
        method: Method,
        missing: list[tuple[Benchmark, str]],
        fingerprints: dict[str, str],
        records: Records,
    ) -> Iterator[None]:
        before = resident()
        description = method.open()
        weights = max(0.0, resident() - before) if self.device.type == "cpu" else 0.0
        try:
            for name, fingerprint in fingerprints.items():
                if any(benchmark.name == name for benchmark, _ in missing):
                    records.describe(method.label, fingerprint, description)
            for benchmark, key in missing:
                records.add(
                    self._record(method, benchmark, key, fingerprints[benchmark.name], records, weights)
                )
                yield
        finally:
            method.close()

    def _record(
        self,
        method: Method,
        benchmark: Benchmark,
        key: str,
        fingerprint: str,
        records: Records,
        weights: float,
    ) -> Record:
        path = self.result_path(method.label, benchmark.name, key)
        try:
            sample = benchmark.load(key)
        except (ValueError, OSError) as error:
            log.warning("%s: %s is left out: %s", benchmark.name, key, error)
            return Record(benchmark.name, "", key, key, method.label, fingerprint, error=str(error))
        known = records.find(benchmark.name, method.label, fingerprint, key)
        if known is not None and known.error is None and path.is_file():
            result = read_image(path)  # only metrics are missing
        else:
            result, known = self._restored(method, benchmark, sample, fingerprint, weights)
            _save(result, path)
            _save(sample.lq, self.input_path(benchmark.name, key))
        if isinstance(benchmark, SyntheticChecks):
            verdicts = benchmark.judge(key, result)
            checks = {
                name: (verdict.value, verdict.limit, "at least" if verdict.at_least else "at most")
                for name, verdict in verdicts.items()
            }
            return replace(known, checks=checks)
        names = self._wanted(benchmark, known.metrics, sample.hq is not None)
        return replace(known, metrics=known.metrics | self.measures.of_image(names, result, sample))

    def _restored(
        self, method: Method, benchmark: Benchmark, sample: BenchmarkImage, fingerprint: str, weights: float
    ) -> tuple[Pixels, Record]:
        peak = PeakMemory(self.device)
        start = time.perf_counter()
        result = method.restore(benchmark, sample)
        seconds, memory = time.perf_counter() - start, peak.read()
        record = Record(
            benchmark.name,
            sample.group,
            sample.key,
            sample.source,
            method.label,
            fingerprint,
            sample.size,
            seconds if method.timed else None,
            memory + weights if method.timed and memory is not None else None,
        )
        return result, record


def _save(image: Pixels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda temporary: Image.fromarray(image).save(temporary, "PNG"))
