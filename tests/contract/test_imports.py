"""Imports go one way (CONTRIBUTING): components never import siblings, the core imports no Lightning."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPONENTS = {"encoders", "backbones", "guidance", "degradations", "autoencoders", "objectives", "metrics"}
BASIS = {"types", "registry", "component", "seeds", "flow", "frozen", "weights"}
PURE = [*COMPONENTS, "flow", "checkpoints", "imaging", "evaluation", "jobs"]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("package", sorted(COMPONENTS))
def test_components_know_nothing_of_their_siblings(package):
    for path in (ROOT / "vosr" / package).rglob("*.py"):
        inside = {name.split(".")[1] for name in imported(path) if name.startswith("vosr.")}
        assert inside <= BASIS | {package}, path


@pytest.mark.parametrize("package", PURE)
def test_the_mathematics_imports_no_lightning(package):
    for path in (ROOT / "vosr" / package).rglob("*.py"):
        assert not {name for name in imported(path) if name.startswith(("lightning", "pytorch_lightning"))}, (
            path
        )


def test_only_the_command_line_imports_the_data_pipelines():
    for path in (ROOT / "vosr").rglob("*.py"):
        if path.parts[-2] != "cli":
            assert not {name for name in imported(path) if name.startswith("data_pipelines")}, path


def test_weights_are_never_unpickled_freely():
    for path in [*ROOT.glob("vosr/**/*.py"), *ROOT.glob("data_pipelines/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert {k.arg: ast.unparse(k.value) for k in node.keywords}.get("weights_only") == "True", (
                    path
                )
