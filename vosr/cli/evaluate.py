"""``evaluate``: models, baselines and other tools' results on benchmarks, with a report."""

import os
import shlex
import sys
import time
from pathlib import Path

import torch
from jsonargparse import ArgumentParser, Namespace
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from vosr.cli.engine import add_trust_argument
from vosr.cli.errors import INTERRUPTED, fail
from vosr.core.console import PlainConsole
from vosr.core.devices import pick_device
from vosr.core.files.atomic import write_atomically
from vosr.core.shard import JobShard
from vosr.evaluation import words
from vosr.evaluation.markdown import heading, markdown
from vosr.evaluation.measure import Measures, choose_metrics
from vosr.evaluation.models import Runtime
from vosr.evaluation.open import open_methods
from vosr.evaluation.page import write_page
from vosr.evaluation.protocols import open_benchmarks
from vosr.evaluation.records import Records
from vosr.evaluation.report import Report, make_report, write_csv, write_json
from vosr.evaluation.run import Comparison
from vosr.inference import DTypeName

_EVERY = 30.0
"""Seconds between lines where there is no terminal for a bar."""


def add_arguments(parser: ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "--model",
        nargs="+",
        metavar="MODEL",
        help="Shipped names, model or run folders, hub ids, folders of other tools' results, bicubic, lanczos, "
        "nearest. Settings follow after commas: vosr_small_teacher,steps=10,label=teacher. Differences are to the "
        "first.",
    )
    parser.add_argument(
        "--autoencoder",
        nargs="+",
        metavar="AUTOENCODER",
        help="Instead of models: registered autoencoders, folders or runs of them or of light decoders. Arguments "
        "follow after commas: dct,factor=8,luma=2,chroma=1.",
    )
    parser.add_argument(
        "--crop", type=int, default=256, help="Side of the images' middle that autoencoders are given."
    )
    parser.add_argument(
        "--data",
        nargs="+",
        default=["builtin"],
        metavar="BENCHMARK",
        help="builtin, synthetic_checks, a name or file of configs/benchmark, NAME=FOLDER, or a folder of images.",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("report"), help="Folder of the report.")
    parser.add_argument(
        "--metrics",
        nargs="+",
        default=["fast"],
        metavar="METRIC",
        help="fast, all, or registered names (python main.py components).",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps, …")
    parser.add_argument("--dtype", type=DTypeName, default="auto", help="Of the models' backbones.")
    add_trust_argument(parser)
    parser.add_argument("--seed", type=int | None, help="Of the noise; made from each image if not given.")
    parser.add_argument(
        "--frozen_parts", type=Path | None, help="Folder with the VAE and encoder of a released model."
    )
    parser.add_argument(
        "--shard",
        type=str | None,
        help="i/n: the i-th of n parts of the samples; if not given, what SLURM or torchrun have launched.",
    )


def run(options: Namespace) -> int:
    """Measure what is not measured yet and write the report; status 1 if some samples could not be read."""
    if options.autoencoder:
        from vosr.cli.autoencoders import compare_autoencoders

        return compare_autoencoders(options)
    if not options.model:
        raise ValueError("evaluate needs --model or --autoencoder.")
    shard = JobShard.given(options.shard)
    device = pick_device(_of_rank(options.device))
    runtime = Runtime(
        str(device), options.dtype, options.frozen_parts, options.seed, options.trust_remote_code
    )
    methods, benchmarks = open_methods(options.model, runtime), open_benchmarks(options.data)
    measures = Measures(choose_metrics(options.metrics), device)
    comparison = Comparison(options.output, methods, benchmarks, measures, device)
    comparison.check()
    if options.output.is_file():
        raise ValueError(f"{options.output} is a file; give a folder for the report.")
    options.output.mkdir(parents=True, exist_ok=True)
    records = Records(options.output, f"_{shard.index + 1}_of_{shard.count}" if shard.count > 1 else "")
    try:
        with Bar(
            sum(shard.holds(key) for m in methods for b in comparison.of(m) for key in b.names())
        ) as bar:
            comparison.run(records, shard, bar.advance)
    except KeyboardInterrupt:
        fail("Interrupted; run the same command again to go on.", INTERRUPTED)
    report = make_report(comparison, Records(options.output), _command())
    _write(comparison, report)
    _conclude(report, options.output)
    return 1 if report.summary.failed else 0


def _of_rank(device: str) -> str:
    """Under torchrun each process takes the CUDA device of its local rank."""
    local = os.environ.get("LOCAL_RANK", "")
    return f"cuda:{local}" if device == "auto" and local.isdecimal() and torch.cuda.is_available() else device


def _command() -> str:
    return shlex.join(["python", "main.py", *sys.argv[1:]])


def _write(comparison: Comparison, report: Report) -> None:
    output = comparison.output
    write_json(report, output / "report.json")
    write_csv(report, output / "images.csv")
    text = markdown(report)
    write_atomically(output / "report.md", lambda path: path.write_text(text, encoding="utf-8"))
    write_page(comparison, report, output / "index.html")


def _conclude(report: Report, output: Path) -> None:
    """Print the results."""
    console = PlainConsole()
    for table in report.summary.tables:
        shown = Table(title=heading(table), title_justify="left", box=None, pad_edge=False)
        shown.add_column("")
        for name in table.metrics:
            shown.add_column(words.title(name), justify="right")
        shown.add_column("s / image", justify="right")
        for row in table.rows:
            figures = (
                row.means[name].mean if name in row.means else row.sets.get(name) for name in table.metrics
            )
            cells = [words.figure(value, name) for value, name in zip(figures, table.metrics)]
            shown.add_row(row.method, *cells, words.seconds(row.seconds))
        console.print(shown)
        console.print()
    for method in report.methods:
        checks = [check for check in report.summary.checks if method in check.passed]
        if checks:
            passed, total = sum(c.passed[method] for c in checks), sum(c.total for c in checks)
            console.print(f"synthetic_checks: {method} passes {passed} of {total}")
    for note in report.notes:
        console.print(f"Note: {note}")
    for name, reason in report.unavailable.items():
        console.print(f"Note: {name} is unavailable: {reason}")
    console.print(f"Report: {output / 'index.html'} (also report.md, report.json, images.csv)")


class Bar:
    """Progress on standard error: a bar on a terminal, else a line now and then.

    Args:
        total: results that are wanted.
    """

    def __init__(self, total: int) -> None:
        self._console = PlainConsole(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        terminal = self._console.is_terminal
        self._progress = Progress(*columns, console=self._console, transient=True, disable=not terminal)
        self._task = self._progress.add_task("Evaluating", total=total)
        self._total, self._done, self._said = total, 0, time.monotonic()

    def __enter__(self) -> "Bar":
        if not self._progress.disable:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._progress.disable:
            self._progress.stop()

    def advance(self, method: str, count: int) -> None:
        """Some results of a method are there."""
        self._done += count
        self._progress.update(self._task, advance=count, description=method)
        if self._progress.disable and time.monotonic() - self._said > _EVERY:
            self._said = time.monotonic()
            self._console.print(f"{method}: {self._done} of {self._total} results")
