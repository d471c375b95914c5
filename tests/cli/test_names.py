import pytest

from vosr.cli.names import expand_arguments, expand_config
from vosr.core.registry import UnknownNameError

RESTORATION = "vosr.guidance.restoration.RestorationGuidance"
RCGM = "vosr.objectives.rcgm.RCGM"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--model.guidance=restoration"], [f"--model.guidance={RESTORATION}"]),
        (["--model.guidance", "restoration"], ["--model.guidance", RESTORATION]),
        (
            ["--model.init_args.guidance.class_path=restoration"],
            [f"--model.init_args.guidance.class_path={RESTORATION}"],
        ),
        (["--model.objective.help", "rcgm"], ["--model.objective.help", RCGM]),
        ([f"--model.guidance={RESTORATION}"], [f"--model.guidance={RESTORATION}"]),
        (["--model.guidance.scale=0.5", "--data.x=none"], ["--model.guidance.scale=0.5", "--data.x=none"]),
        (
            ['--model.guidance={"class_path": "restoration", "init_args": {"scale": 2}}'],
            [f'--model.guidance={{"class_path": "{RESTORATION}", "init_args": {{"scale": 2}}}}'],
        ),
    ],
)
def test_arguments(given, expected):
    assert expand_arguments(given) == expected


def test_config_forms_are_equivalent():
    short = expand_config({"model": {"class_path": "X", "init_args": {"guidance": "restoration"}}})
    long = expand_config(
        {"model": {"class_path": "X", "init_args": {"guidance": {"class_path": RESTORATION}}}}
    )
    nested = expand_config({"fit": {"model": {"class_path": "X", "init_args": {"guidance": "restoration"}}}})
    assert short == long == nested["fit"]
    assert short["model"]["init_args"]["guidance"] == {"class_path": RESTORATION}


def test_unknown_name_is_found_wherever_it_stands():
    for bad in ({"guidance": "restoratio"}, {"guidance": {"class_path": "restoratio"}}):
        with pytest.raises(UnknownNameError, match="Did you mean 'restoration'"):
            expand_config({"model": {"init_args": bad}})
    with pytest.raises(UnknownNameError, match="Did you mean 'rcgm'"):
        expand_arguments(["--model.objective=rcgn"])


def test_other_content_is_untouched():
    config = {"trainer": {"max_steps": 3}, "model": {"init_args": {"seed": 1}}, "data": {"train": "none"}}
    assert expand_config(config) == config
    assert expand_config("restoration") == "restoration"
