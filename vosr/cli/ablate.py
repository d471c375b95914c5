"""``ablate``: train the variants of a grid one after the other, then compare them on benchmarks with intervals."""

import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser, Namespace

from vosr.cli.values import load_yaml
from vosr.core.files.atomic import write_atomically
from vosr.core.files.regular import read_regular
from vosr.core.packaged import packaged_config

COMMAND = [sys.executable, "-c", "import sys; from vosr.cli import main; sys.exit(main())"]


@dataclass(frozen=True)
class Grid:
    """What an ablation trains and compares.

    Attributes:
        fit: arguments of ``fit`` that all variants share; the seed is among them or the config's.
        variants: name -> further arguments; ``{NAME}`` stands for the folder of an earlier variant.
        compare: models of ``evaluate``, ``{NAME}`` likewise; differences are to the first.
        data: benchmarks of ``evaluate``.
        metrics: metrics of ``evaluate``.
    """

    fit: list[str]
    variants: dict[str, list[str]]
    compare: list[str]
    data: list[str]
    metrics: list[str]


def add_arguments(parser: ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "--config",
        type=Path,
        required=True,
        help="A grid as in configs/ablation, by file or name.",
    )
    parser.add_argument(
        "-o", "--output", type=Path, help="Folder; runs/ablation/<config's name> if not given."
    )
    parser.add_argument("--dry_run", action="store_true", help="Print the commands and run nothing.")


def run(options: Namespace) -> int:
    """Train what is not trained yet, then evaluate; the same command goes on after an interruption.

    Raises:
        ValueError: a command failed, or a variant was trained with other arguments than the grid has now.
    """
    grid = read_grid(packaged_config(str(options.config)) or options.config)
    output = options.output or Path("runs/ablation") / options.config.stem
    folders: dict[str, str] = {}
    for name, arguments in grid.variants.items():
        done = output / "runs" / name / "complete"
        own = [argument.format_map(folders) for argument in arguments]
        record = "\n".join([*grid.fit, *own, ""])
        if done.is_file():
            if done.read_text(encoding="utf-8") != record:
                raise ValueError(
                    f"{done.parent} was trained with other arguments than {options.config} has now (they are in "
                    f"{done}); remove that folder to train {name} again, or give another one by -o."
                )
            folders[name] = _newest(done.parent)
            continue
        where = ["--runs", str(output / "runs"), "--name", name, "--ckpt_path", "auto"]
        _call(["fit", *grid.fit, *own, *where], options.dry_run)
        if not options.dry_run:
            write_atomically(done, partial(Path.write_text, data=record, encoding="utf-8"))
        folders[name] = _newest(done.parent)
    models = [model.format_map(folders) for model in grid.compare]
    evaluate = ["evaluate", "--model", *models, "--data", *grid.data, "--metrics", *grid.metrics]
    _call([*evaluate, "-o", str(output / "report")], options.dry_run)
    return 0


def read_grid(path: Path) -> Grid:
    """The grid of a YAML file.

    Raises:
        ValueError: it is no such file, or names a variant that comes later or not at all.
    """
    try:
        content: Any = load_yaml(read_regular(path).decode())
        grid = Grid(**content)
        seen: dict[str, str] = {}
        for name, arguments in grid.variants.items():
            for argument in arguments:
                argument.format_map(seen)
            seen[name] = name
        for model in grid.compare:
            model.format_map(seen)
    except KeyError as error:
        raise ValueError(f"{path} uses the variant {error} before it is defined.") from error
    except (TypeError, AttributeError, ValueError, yaml.YAMLError) as error:
        raise ValueError(
            f"{path} is no grid of an ablation, as configs/ablation/guidance.yaml: {error}"
        ) from error
    return grid


def _newest(group: Path) -> str:
    """The last run of a variant."""
    runs = [path for path in group.glob("[0-9]*") if path.name.isdigit()]
    return str(max(runs, key=lambda path: int(path.name), default=group / "001"))


def _call(arguments: list[str], dry_run: bool) -> None:
    """Run one command of ours in a process of its own.

    Raises:
        ValueError: it failed; what is done stays.
    """
    if dry_run:
        sys.stdout.write(" ".join(["python main.py", *arguments]) + "\n")
        return
    status = subprocess.run([*COMMAND, *arguments], check=False).returncode
    if status:
        raise ValueError(f"{arguments[0]} ended with status {status}; the same command goes on from here.")
