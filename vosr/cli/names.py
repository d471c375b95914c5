"""Registered names in YAML and on the command line, turned into the class paths that jsonargparse reads."""

import json
from pathlib import Path
from typing import Any

import yaml

from vosr.cli.values import load_yaml
from vosr.core.files.regular import read_regular
from vosr.core.registry import REGISTRIES, class_path
from vosr.core.renamed import rename, rename_arguments


def expand_config(config: Any) -> Any:
    """Replace registered names in a training configuration; everything else is returned as it is."""
    if not isinstance(config, dict):
        return config
    return _expand_names(rename(config))


def _expand_names(config: dict[str, Any]) -> dict[str, Any]:
    config = {
        key: _expand_names(value) if key in SUBCOMMANDS and isinstance(value, dict) else value
        for key, value in config.items()
    }
    model = config.get("model")
    if isinstance(model, dict):
        config["model"] = _expand_model(model)
    return config


def expand_arguments(arguments: list[str]) -> list[str]:
    """Replace registered names in ``--model.<kind>=name``, ``--model.<kind> name`` and their long forms."""
    expanded: list[str] = []
    kind: str | None = None
    for argument in rename_arguments(arguments):
        if kind is not None:
            expanded.append(_expand_value(kind, argument))
            kind = None
            continue
        flag, equals, value = argument.partition("=")
        slot = _slot(flag)
        if slot is None:
            expanded.append(argument)
        elif equals:
            expanded.append(f"{flag}={_expand_value(slot, value)}")
        else:
            expanded.append(argument)
            kind = slot
    return expanded


KORNIA = "kornia.augmentation."
"""Classes in there are degradations by their own names."""
SUBCOMMANDS = ("fit", "validate", "test", "predict")


def _slot(flag: str) -> str | None:
    """Kind of component that a flag names: --model.encoder, --model.init_args.encoder.class_path, --degradation.

    Those within other objects of the model too: --model.adversary.discriminator.
    """
    if not flag.startswith("--"):
        return None
    parts = [part for part in flag.removeprefix("--").split(".") if part != "init_args"]
    if parts[-1] in ("class_path", "help"):
        parts = parts[:-1]
    of_model = parts[:1] == ["model"]
    return (
        parts[-1]
        if (of_model or len(parts) == 1) and parts[-1:] != ["model"] and parts[-1] in REGISTRIES
        else None
    )


def _expand_value(kind: str, value: str) -> str:
    if (record := _written(kind, value)) is not None:
        return json.dumps(_expand(kind, record))
    if kind == "degradation" and value.startswith(KORNIA):
        return json.dumps(_expand(kind, value))
    return value if value in ("null", "") else class_path(REGISTRIES[kind].get(value))


def _written(kind: str, value: str) -> Any:
    """What YAML text or a YAML file holds: a record with class_path, or a config in which there is one of the kind."""
    path, name = Path(value), value
    if path.suffix in (".yaml", ".yml") and path.is_file():
        value = read_regular(path).decode()
    elif not (value.lstrip().startswith(("{", "[")) or "class_path:" in value):
        return None
    try:
        record = load_yaml(value)
    except yaml.YAMLError as error:
        raise ValueError(f"{name} is no YAML: {error}") from error
    if isinstance(record, dict) and isinstance(record.get("model"), dict):
        return record["model"].get("init_args", record["model"]).get(kind)
    return record


def _expand_model(model: dict[str, Any]) -> dict[str, Any]:
    if isinstance(model.get("init_args"), dict):
        return {**model, "init_args": _expand_model(model["init_args"])}
    return {key: _expand(key, value) if key in REGISTRIES else _inside(value) for key, value in model.items()}


def _inside(value: Any) -> Any:
    """Components among the arguments of a class that is none itself, such as the adversary's discriminator."""
    if isinstance(value, dict) and isinstance(value.get("init_args"), dict):
        return {**value, "init_args": _expand_model(value["init_args"])}
    return value


def _expand(kind: str, value: Any) -> Any:
    if kind == "degradation":
        value = _of_kornia(value)
    if isinstance(value, str):
        return {"class_path": class_path(REGISTRIES[kind].get(value))}
    if not (isinstance(value, dict) and "class_path" in value):
        return value
    expanded = {**value, "class_path": class_path(REGISTRIES[kind].get(value["class_path"]))}
    if isinstance(value.get("init_args"), dict):
        expanded["init_args"] = {k: _expand_parts(kind, v) for k, v in value["init_args"].items()}
    return expanded


def _of_kornia(value: Any) -> Any:
    """``kornia.augmentation.RandomMotionBlur``, with its arguments or without, as the degradation ``kornia``."""
    record = {"class_path": value} if isinstance(value, str) else value
    path = record.get("class_path") if isinstance(record, dict) else None
    if not (isinstance(path, str) and path.startswith(KORNIA)):
        return value
    given = {"augmentation": path.removeprefix(KORNIA), "settings": record.get("init_args") or {}}
    return {"class_path": "kornia", "init_args": given}


def _expand_parts(kind: str, value: Any) -> Any:
    """Components inside components: a list of which every item is a name or a class_path record."""
    names = REGISTRIES[kind].names()
    if isinstance(value, list) and value and all(_is_part(item, names) for item in value):
        return [_expand(kind, item) for item in value]
    return _expand(kind, value) if isinstance(value, dict) else value


def _is_part(item: Any, names: list[str]) -> bool:
    if isinstance(item, str):
        return item in names or item.startswith(KORNIA)
    return isinstance(item, dict) and "class_path" in item
