"""Files never choose among all decoders: every call of Image.open names the formats that it expects."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def calls(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Image.open", "PIL.Image.open"):
            yield node


def test_every_call_names_its_formats():
    found = 0
    for package in ("vosr", "data_pipelines"):
        for path in (ROOT / package).rglob("*.py"):
            for call in calls(path):
                found += 1
                assert "formats" in {keyword.arg for keyword in call.keywords}, f"{path}:{call.lineno}"
    assert found >= 3
