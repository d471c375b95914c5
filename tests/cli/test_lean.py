"""Restoring needs no more packages than docs/deploying.md lists: with all others hidden it works."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys

class Without:
    # finds nothing that is hidden
    names = set(json.loads(sys.argv[1]))
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in self.names else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""
RESTORER = """
import numpy
from vosr import Restorer
out = Restorer.from_pretrained("vosr_small_student", "cpu")(numpy.full((8, 8, 3), 99, numpy.uint8), scale=2)
assert out.shape == (16, 16, 3)
"""
COMMAND = """
from vosr.cli import main
sys.exit(main(["restore", *sys.argv[2:], "-o", "out", "--scale", "2", "--device", "cpu", "--quiet"]))
"""


def listed():
    """Packages of each line of the guide's short list."""
    text = (ROOT / "docs/deploying.md").read_text()
    lines = [line.partition("#")[0] for line in re.findall(r"^pip install (.*)$", text, re.M)]
    torch, restorer, command, own = lines[:4]
    assert torch.startswith("torch ")
    assert own.split() == ["--no-deps", "."]
    return {"torch", *restorer.split()}, {*command.split()}


def modules(packages):
    """Top-level modules of distributions and of all that they require, with the extras that are named."""
    todo, found = [each.strip("'") for each in packages], set()
    while todo:
        name, _, extras = todo.pop().partition("[")
        name = re.sub(r"[-_.]+", "-", name).lower()
        if name in found:
            continue
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:  # for another platform
            continue
        found.add(name)
        for each in requires:
            extra = re.search(r"extra == ['\"](.*?)['\"]", each)
            if extra is None or extra.group(1) in extras.rstrip("]").split(","):
                todo.append(re.match(r"[\w.-]+", each).group())
    return {
        module
        for module, owners in packages_distributions().items()
        if found & {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners}
    }


@pytest.mark.parametrize(("program", "lines"), [(RESTORER, 1), (COMMAND, 2)], ids=["Restorer", "restore"])
def test_the_short_list_is_enough(program, lines, tmp_path):
    kept = modules(set().union(*listed()[:lines])) | {"vosr", "data_pipelines"}
    hidden = sorted(set(packages_distributions()) - kept - set(sys.stdlib_module_names))
    assert {"lightning", "webdataset", "kornia", "timm", "diffusers", "skimage", "torchvision"} <= set(hidden)
    for suffix in ("png", "jpg", "webp"):
        Image.new("RGB", (8, 8), "teal").save(tmp_path / f"photo_{suffix}.{suffix}")
    photos = [str(path) for path in tmp_path.iterdir()]
    command = [sys.executable, "-c", PROGRAM + program, json.dumps(hidden), *photos]
    own = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    if program == COMMAND:
        assert len(list((tmp_path / "out").glob("*.png"))) == 3
