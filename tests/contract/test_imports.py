"""The import graph: layers from the bottom up, components never import siblings, the mathematics no Lightning."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = [
    {"core"},
    {"flow", "discriminators"},
    {"encoders", "backbones", "guidance", "degradations", "autoencoders", "objectives", "metrics"},
    {"model", "imaging"},
    {"checkpoints", "data_pipelines"},
    {"inference"},
    {"jobs"},
    {"evaluation"},
    {"training"},
    {"planning"},
    {"cli"},
]
"""A package imports those of lower layers only: no cycles, no siblings."""

COMPONENTS = LAYERS[2] | {"discriminators"}
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
MOST_ENTRIES = 20
PURE = {"core", "flow", "model", "checkpoints", "imaging", "inference", "jobs"}


def package_of(module):
    """Name in LAYERS of a dotted module; None for other libraries and for ``vosr`` itself."""
    first, *rest = module.split(".")
    if first == "data_pipelines":
        return first
    return rest[0] if first == "vosr" and rest else None


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def edges():
    """(importing package, imported package, file)."""
    for path in sorted([*ROOT.glob("vosr/**/*.py"), *ROOT.glob("data_pipelines/**/*.py")]):
        own = package_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for module in imported(path):
            other = package_of(module)
            if own not in (None, "__init__", other) and other is not None:
                yield own, other, str(path.relative_to(ROOT))


def test_imports_go_down_the_layers():
    assert not {(own, other, path) for own, other, path in edges() if LEVEL[other] >= LEVEL[own]}


def test_every_entry_has_its_layer_and_there_are_few():
    tracked = {path.name.removesuffix(".py") for path in (ROOT / "vosr").iterdir()} - {"__pycache__"}
    assert tracked - {"__init__", "pretrained"} == set(LEVEL) - {"data_pipelines"}
    assert len(tracked - {"__init__"}) <= MOST_ENTRIES


def test_the_guide_names_every_package():
    """CONTRIBUTING's table has a row for each entry of the layers, and names nothing that is not there."""
    table = re.findall(r"^\| `(.+?)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.M)
    named = {name for row in table for name in re.findall(r"(?:vosr/)?([a-z_]+)(?:/|\.py)", row)}
    assert named == set(LEVEL)


@pytest.mark.parametrize("package", sorted({*COMPONENTS, *PURE}))
def test_the_mathematics_imports_no_lightning(package):
    for path in (ROOT / "vosr" / package).rglob("*.py"):
        assert not {name for name in imported(path) if name.startswith(("lightning", "pytorch_lightning"))}, (
            path
        )


def test_only_training_and_the_command_line_import_the_data_pipelines():
    for path in (ROOT / "vosr").rglob("*.py"):
        if path.parts[-2] not in ("cli", "training"):
            assert not {name for name in imported(path) if name.startswith("data_pipelines")}, path


def test_weights_are_never_unpickled_freely():
    for path in [*ROOT.glob("vosr/**/*.py"), *ROOT.glob("data_pipelines/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert {k.arg: ast.unparse(k.value) for k in node.keywords}.get("weights_only") == "True", (
                    path
                )
