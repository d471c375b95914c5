"""Components tell what they are and how their arguments are typed."""

import inspect

import pytest

from vosr.cli.main import main
from vosr.core.arguments import REQUIRED, arguments_of, description_of
from vosr.core.registry import REGISTRIES

ALL = [(kind, name) for kind, registry in REGISTRIES.items() for name in registry.names()]


def test_arguments_with_defaults_as_they_are_typed(capfd):
    assert main(["components", "dinov2"]) == 0
    out = capfd.readouterr().out
    for line in (
        "  --model.encoder=dinov2",
        "  --model.encoder.size=b   (s | b | l | g)",
        "  --model.encoder.block=null   (int | null)",
        "  --model.encoder.pretrained=true   (bool)",
        "      side of the resized image in pixels, a multiple of 14.",
    ):
        assert line in out.splitlines(), line


def test_a_name_of_two_kinds_and_a_kind(capfd):
    assert main(["components", "none", "image_loss"]) == 0
    out = capfd.readouterr().out
    assert "encoder none" in out
    assert "guidance none" in out
    assert "log_mse" in out


@pytest.mark.parametrize("form", [["--model.encoder.help=timm"], ["--model.encoder.help", "timm"]])
def test_help_of_a_component_has_the_keys_that_are_typed(form, capfd):
    assert main(["fit", *form]) == 0
    assert "--model.encoder.block=null" in capfd.readouterr().out


def test_unknown_names_have_a_nearest_one(capfd):
    with pytest.raises(SystemExit):
        main(["components", "dense_shift"])
    assert "Did you mean 'dense_sift'?" in capfd.readouterr().err


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_every_argument_of_every_component_is_described(kind, name):
    cls = REGISTRIES[kind].get(name)
    assert description_of(cls)
    described = arguments_of(cls)
    assert [a.name for a in described] == [
        p.name
        for p in list(inspect.signature(cls.__init__).parameters.values())[1:]
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    for argument in described:
        assert argument.text, argument
        assert "typing." not in argument.type
        assert argument.default is REQUIRED or "<" not in argument.value, argument
