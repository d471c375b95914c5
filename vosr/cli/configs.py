"""Config files by path or packaged name, checked one by one, so that an error names the file."""

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from vosr.cli.values import load_yaml
from vosr.core.files.regular import read_regular
from vosr.core.packaged import config_names, packaged_config

MOST_BYTES = 2**24
SUFFIXES = (".yaml", ".yml", ".json")
NAME = re.compile(r"[\w.]+(/[\w.]+)?(?<!\.yaml)(?<!\.yml)(?<!\.json)")
"""What may be a packaged config: its folder and name, without the ending."""
FLAGS = ("--config", "-c", "--teacher_config")


def named_configs(arguments: list[str]) -> list[str]:
    """A command line with the packaged configs that it names (``--config teacher``) as their files.

    A file of the name given goes before a packaged one.

    Raises:
        ValueError: a name that is neither.
    """
    named, flag = [], ""
    for argument in arguments:
        if flag in FLAGS:
            named.append(_found(argument))
        elif argument.partition("=")[0] in FLAGS and "=" in argument:
            option, _, value = argument.partition("=")
            named.append(f"{option}={_found(value)}")
        else:
            named.append(argument)
        flag = argument
    return named


def _found(given: str) -> str:
    if not NAME.fullmatch(given) or os.path.isfile(given):  # noqa: PTH113
        return given
    packaged = packaged_config(given)
    if packaged is not None:
        return str(packaged)
    near = difflib.get_close_matches(given, config_names(), n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ValueError(f"No config {given}.{hint} Give a file, or one of: {', '.join(config_names())}.")


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
    if near:
        return f" Did you mean {path.parent / near[0]}?"
    name = path.with_suffix("").as_posix().removeprefix("configs/")
    return f" --config {name} is the packaged one." if packaged_config(name) else ""


def _configs(arguments: list[str]) -> Iterator[Path]:
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        flag, equals, value = argument.partition("=")
        if flag in FLAGS:
            yield Path(value if equals else following)
