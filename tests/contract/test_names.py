"""One meaning for one name: a public class or function is defined in one module only."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMANDS = {"add_arguments", "run"}  # the interface of every module of vosr/cli


def test_public_names_are_defined_once():
    places = defaultdict(list)
    for folder in ("vosr", "data_pipelines"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                    places[node.name].append(path.relative_to(ROOT).as_posix())
    assert len(places) > 500
    twice = {name: paths for name, paths in places.items() if len(paths) > 1 and name not in COMMANDS}
    assert twice == {}
