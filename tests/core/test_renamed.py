"""Configs, command lines and model folders of version 0.1."""

import json

import pytest

from vosr.checkpoints import load_model
from vosr.checkpoints.catalogue import SHIPPED
from vosr.cli.names import expand_arguments, expand_config
from vosr.core import renamed
from vosr.core.registry import class_path
from vosr.guidance import RestorationGuidance
from vosr.model import ModelCard, Sampling
from vosr.objectives import FidelitySharpness


@pytest.fixture(autouse=True)
def _nothing_reported_yet(monkeypatch):
    monkeypatch.setattr(renamed, "_reported", set())


def test_config_of_old(caplog):
    given = {
        "model": {
            "init_args": {
                "guidance": {"class_path": "restoration", "init_args": {"weak_strength_range": [0.1, 0.2]}},
                "picture_loss": {"class_path": "vosr.objectives.picture.FidelitySharpness"},
            }
        },
        "data": {"init_args": {"train": {"class_path": "SyntheticData", "init_args": {"pictures": 64}}}},
    }
    expanded = expand_config(given)
    arguments = expanded["model"]["init_args"]
    assert arguments["guidance"]["init_args"] == {"partial_strength_range": [0.1, 0.2]}
    assert arguments["image_loss"]["class_path"] == class_path(FidelitySharpness)
    assert expanded["data"]["init_args"]["train"]["init_args"] == {"images": 64}
    assert "pictures is called images since version 0.2; the old name still works." in caplog.messages


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--model.guidance.weak_strength=0.2"], ["--model.guidance.partial_strength=0.2"]),
        (["--weak_strength", "0.2"], ["--partial_strength", "0.2"]),
        (["--data.train.pictures", "8"], ["--data.train.images", "8"]),
        (["--semantics", "picture", "picture"], ["--semantics", "image", "picture"]),
        (["--semantics=picture"], ["--semantics=image"]),
        (
            ["--data.validation", "data_pipelines.PictureFolder"],
            ["--data.validation", "data_pipelines.ImageFolder"],
        ),
        (["restore", "pictures", "--name=pictures"], ["restore", "pictures", "--name=pictures"]),
    ],
)
def test_arguments_of_old(given, expected):
    assert expand_arguments(given) == expected


def test_model_folder_of_old(tmp_path):
    shipped = SHIPPED / "vosr_small_student"
    record = (shipped / "config.json").read_text()
    old = json.loads(record.replace("partial_", "weak_"))
    assert old["guidance"]["args"].keys() >= {"weak_strength", "weak_strength_range", "weak_probability"}
    (tmp_path / "config.json").write_text(json.dumps(old))
    (tmp_path / "model.safetensors").symlink_to(shipped / "model.safetensors")
    model = load_model(tmp_path)
    assert isinstance(model.guidance, RestorationGuidance)
    assert model.guidance.init_args == load_model(shipped).guidance.init_args
    assert isinstance(model.card, ModelCard)
    assert isinstance(model.sampling, Sampling)


def test_every_new_class_path_exists():
    import importlib

    for new in renamed.VALUES.values():
        module, _, name = new.rpartition(".")
        assert hasattr(importlib.import_module(module), name)
