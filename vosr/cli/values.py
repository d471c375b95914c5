"""Values of configs and of the command line: YAML that does not expand without end, and text that is no YAML."""

from typing import Any

import yaml
from jsonargparse import get_loader, set_loader

from vosr.core.files.shown import shown

OPTIONS_MODE = "vosr_options"
MOST_VALUES = 100_000
"""Values of one text, with each alias (``*name``) counted as what it stands for."""


def load_yaml(text: str) -> Any:
    """``yaml.safe_load`` for a text of reasonable size.

    Raises:
        yaml.YAMLError: no YAML, or its aliases or nesting make too much of it.
    """
    _check_size(text)
    return yaml.safe_load(text)


def _check_size(text: str) -> None:
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        size = 0 if node is None else _size(node, {}, set())
    except RecursionError as error:
        raise yaml.YAMLError("it is nested too deeply") from error
    if size > MOST_VALUES:
        raise yaml.YAMLError(f"its aliases (*) stand for more than {MOST_VALUES} values")


def _size(node: yaml.Node, known: dict[int, int], open_nodes: set[int]) -> int:
    """Values below a node; those of an alias are counted wherever it stands."""
    if id(node) in open_nodes:
        raise yaml.YAMLError("an alias (*) stands within what it names")
    if id(node) not in known:
        open_nodes.add(id(node))
        parts: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            parts = node.value
        known[id(node)] = 1 + sum(_size(part, known, open_nodes) for part in parts)
        open_nodes.discard(id(node))
    return known[id(node)]


def _option(text: str) -> Any:
    """Names of files may hold what no YAML does: they stay text."""
    if shown(text) != text:
        return text
    _check_size(text)
    return get_loader("yaml")(text)


set_loader(OPTIONS_MODE, _option, exceptions=(yaml.YAMLError,))
