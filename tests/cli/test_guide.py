"""The first page of help names what there is."""

import inspect

import pytest
from lightning.pytorch import Trainer

from data_pipelines import ShardDataModule
from vosr.cli.guide import OF_PLAN, OFTEN
from vosr.cli.main import main
from vosr.core.registry import REGISTRIES
from vosr.training import DistillationModule, TeacherModule


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict", "plan", "precompute"])
def test_help_is_one_page_with_every_component(command, capfd):
    assert main([command, "--help"]) == 0
    out = capfd.readouterr().out
    assert len(out.splitlines()) < 60
    for kind, registry in REGISTRIES.items():
        assert f"--model.{kind}=" in out
        for name in registry.names():
            assert name in out
    assert ("--utilisation" in out) == (command == "plan")
    assert ("--variants" in out) == (command == "precompute")


def test_help_all_lists_the_keys_of_the_first_page(capfd):
    with pytest.raises(SystemExit) as stopped:
        main(["plan", "--help_all"])
    assert stopped.value.code == 0
    out = capfd.readouterr().out
    for key in (option.partition("=")[0] for row in OFTEN | OF_PLAN for option in row.split()):
        assert key.replace(".lr", "") in out, key  # what a class takes is listed by --model.optimizer.help
    assert "--model.encoder=" in out  # of the classes that the config names
    assert "--model.image_loss=null" in out


def test_the_first_page_has_keys_that_exist():
    parts = {"model": (TeacherModule, DistillationModule), "data": (ShardDataModule,), "trainer": (Trainer,)}
    for row in OFTEN:
        group, dot, key = row.partition("=")[0].removeprefix("--").partition(".")
        if dot:
            first = key.partition(".")[0]  # optimizer.lr: an argument of the optimizer, see test_configs
            assert any(first in inspect.signature(cls).parameters for cls in parts[group]), row
