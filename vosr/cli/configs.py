"""Config files are checked one by one, so that an error names the file."""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

import yaml

from vosr.cli.values import load_yaml
from vosr.core.files.regular import read_regular

MOST_BYTES = 2**24
SUFFIXES = (".yaml", ".yml", ".json")


def check_configs(arguments: list[str]) -> None:
    """Refuse config files of a command line that are not there, are no YAML or hold no keys.

    Raises:
        ValueError: the first such file, and where it is wrong.
    """
    for path in _configs(arguments):
        if not os.path.isfile(path):  # noqa: PTH113  (a config itself may be too long for a name)
            if path.suffix in SUFFIXES:
                raise ValueError(f"No config {path}.{_near(path)}")
            continue
        try:
            content = load_yaml(read_regular(path, MOST_BYTES).decode())
        except yaml.MarkedYAMLError as error:
            line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
            raise ValueError(f"{path} is no YAML: {error.problem}{line}.") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no YAML: {error}.") from error
        if not isinstance(content, dict):
            raise ValueError(f"{path} is no config: it holds no keys.")


def _near(path: Path) -> str:
    names = [p.name for p in path.parent.iterdir() if p.suffix in SUFFIXES] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=1)
    return f" Did you mean {path.parent / near[0]}?" if near else ""


def _configs(arguments: list[str]) -> Iterator[Path]:
    flags = ("--config", "-c")
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        flag, equals, value = argument.partition("=")
        if flag in flags:
            yield Path(value if equals else following)
