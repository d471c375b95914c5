"""Benchmarks by name: built in, from protocol files, or from folders."""

import difflib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import yaml

from vosr.core.packaged import CONFIGS, packaged_config
from vosr.evaluation.benchmark import Benchmark
from vosr.evaluation.builtin import Builtin
from vosr.evaluation.checks import SyntheticChecks
from vosr.evaluation.folders import FolderBenchmark, FolderProtocol, folder_protocol

BUILT_IN: dict[str, type[Benchmark]] = {"builtin": Builtin, "synthetic_checks": SyntheticChecks}
PROTOCOLS = "benchmark"
"""Folder of the packaged configs that protocol files are in."""


def open_benchmarks(texts: list[str]) -> list[Benchmark]:
    """Benchmarks as the command line names them; see :func:`open_benchmark`.

    Raises:
        ValueError: two of one name.
    """
    benchmarks = [open_benchmark(text) for text in texts]
    names = [benchmark.name for benchmark in benchmarks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"Two benchmarks are called {twice}; set another name in one of their files.")
    return benchmarks


def open_benchmark(text: str) -> Benchmark:
    """The benchmark that ``text`` names.

    Args:
        text: "builtin", "builtin/DEGRADATION", "synthetic_checks", a protocol file, the name of one in
            ``configs/benchmark``, a folder of images; or "NAME=FOLDER", a protocol with another root.

    Raises:
        ValueError: nothing of that name, or a wrong protocol file.
    """
    name, _, root = text.partition("=")
    if name in BUILT_IN and not root:
        return BUILT_IN[name]()
    if name.startswith("builtin/") and not root:
        return Builtin((name.removeprefix("builtin/"),))
    file = _file(name)
    if file is not None:
        protocol = read_protocol(file)
        return FolderBenchmark(replace(protocol, root=root) if root else protocol)
    if not root and Path(text).is_dir():
        return FolderBenchmark(folder_protocol(Path(text)))
    raise ValueError(_unknown(name))


def read_protocol(path: Path) -> FolderProtocol:
    """A protocol file.

    Raises:
        ValueError: no YAML, or a key or value that is none of :class:`FolderProtocol`'s.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} is no benchmark: it holds no keys.")
    known = [each.name for each in fields(FolderProtocol)]
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{path}: unknown key {key!r}.{hint} Valid: {', '.join(known)}.")
    return _checked(path, {"name": path.stem} | values)


def _checked(path: Path, values: dict[str, Any]) -> FolderProtocol:
    for key in ("hq", "lq"):
        given = values.get(key) or ()
        values[key] = (given,) if isinstance(given, str) else tuple(given)
    kinds: dict[str, tuple[type, ...]] = {
        "scale": (int,),
        "crop": (int, type(None)),
        "degradation": (str, type(None)),
        "degradation_args": (dict,),
    }
    for key, allowed in kinds.items():
        if key in values and not isinstance(values[key], allowed):
            wanted = " or ".join("null" if kind is type(None) else kind.__name__ for kind in allowed)
            raise ValueError(f"{path}: {key} must be {wanted}, not {values[key]!r}.")
    return FolderProtocol(**values)


def _file(name: str) -> Path | None:
    if Path(name).suffix in (".yaml", ".yml"):
        return Path(name) if Path(name).is_file() else None
    return packaged_config(f"{PROTOCOLS}/{name}")


def _unknown(name: str) -> str:
    names = [*BUILT_IN, *sorted(path.stem for path in (CONFIGS / PROTOCOLS).glob("*.yaml"))]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"No benchmark {name!r}.{hint} Give a folder, a protocol file, or one of: {', '.join(names)}."
