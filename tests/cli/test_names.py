import json

import pytest
import yaml

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
        (
            ["--model.adversary.discriminator=patch"],
            ["--model.adversary.discriminator=vosr.objectives.discriminators.patch.PatchDiscriminator"],
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


def test_a_component_is_read_from_text_and_files(tmp_path):
    """Flow and block style, a file of its own, and a config that holds one, such as configs/task/blind.yaml."""
    record = {"class_path": "choice", "init_args": {"steps": ["jpeg", "webp"]}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(record))
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump({"model": {"init_args": {"degradation": record}}}))
    texts = [json.dumps(record), yaml.safe_dump(record)]
    for given in (*texts, str(tmp_path / "own.yaml"), str(tmp_path / "overlay.yaml")):
        for arguments in ([f"--model.degradation={given}"], ["--degradation", given]):
            expanded = json.loads(expand_arguments(arguments)[-1].rpartition("degradation=")[2])
            assert expanded["class_path"] == "vosr.degradations.compose.Choice"
            assert expanded["init_args"]["steps"][1]["class_path"] == "vosr.degradations.compression.WebP"
