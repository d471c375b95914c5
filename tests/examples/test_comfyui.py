"""The ComfyUI node on a stub of what it needs of ComfyUI."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from vosr import Restorer

FILE = Path(__file__).parents[2] / "examples/comfyui/__init__.py"


@pytest.fixture
def comfyui(monkeypatch):
    """The node's module, and what it told ComfyUI."""
    told = []
    comfy, utils, management = (
        ModuleType(name) for name in ("comfy", "comfy.utils", "comfy.model_management")
    )
    comfy.utils, comfy.model_management = utils, management
    utils.ProgressBar = lambda total: type(
        "Bar", (), {"update": lambda self, more: told.append((more, total))}
    )()
    management.get_torch_device = lambda: torch.device("cpu")
    management.throw_exception_if_processing_interrupted = lambda: told.append("asked")
    for module in (comfy, utils, management):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    spec = importlib.util.spec_from_file_location("vosr_node", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, told


def test_the_node_restores_as_the_restorer_does(comfyui):
    module, told = comfyui
    node = module.NODE_CLASS_MAPPINGS["RestoreWithVOSR"]()
    inputs = node.INPUT_TYPES()
    assert "vosr_small_student" in inputs["required"]["model"][0]
    image = torch.rand(2, 10, 12, 3, generator=torch.Generator().manual_seed(0))
    (restored,) = getattr(node, node.FUNCTION)(image, "vosr_small_student", 2.0)
    assert restored.shape == (2, 20, 24, 3)
    assert told == ["asked", (1, 2), "asked", (1, 2)]
    expected = Restorer.from_pretrained("vosr_small_student", "cpu")(image.movedim(-1, 1), scale=2.0)
    torch.testing.assert_close(restored, expected.movedim(1, -1), atol=1e-5, rtol=0)
    assert module.opened("vosr_small_student", -1.0) is module.opened("vosr_small_student", -1.0)


def test_the_node_is_small():
    assert len(FILE.read_text().splitlines()) <= 60
