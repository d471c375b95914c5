"""Wrong command lines end with one sentence of ours, whatever the libraries say underneath."""

import pytest
from training_configs import CONFIGS

from vosr.cli.errors import explain
from vosr.cli.main import main

TEACHER = ("fit", "--config", str(CONFIGS / "teacher.yaml"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            (*TEACHER, "--model.encodr=clip"),
            "Unknown key 'encodr'. Did you mean 'encoder'? Valid here: autoencoder,",
        ),
        (
            (*TEACHER, "--model.sampling.stpes=3"),
            "Unknown key 'sampling.stpes'. Did you mean 'steps'? Valid here: schedule, solver, steps, temperature.\n",
        ),
        (
            (*TEACHER, "--trainer.max_step=3"),
            "Unknown key 'trainer.max_step'. Did you mean 'max_steps'? The command's --help_all lists the",
        ),
        (
            (*TEACHER, "--model.objective=rcgm"),
            "RCGM is no TeacherObjective, which is needed here. Those that are: flow_matching.\n",
        ),
        (
            (*TEACHER, "--model=Teacher"),
            "There is no class 'Teacher'. Did you mean 'TeacherModule'? Give a registered name "
            "(python main.py components) or a dotted path.\n",
        ),
        (("fit",), "No model and data: give a config, such as --config distill or --config teacher.\n"),
        (
            ("restore", "photo.jpg", "-o", "out", "--color_fix", "foo"),
            "Parser key \"color_fix\": Expected one of 'adain', 'wavelet', 'atrous', 'none'\n",
        ),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_a_wrong_command_line_is_one_sentence(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as status:
        main(arguments)
    assert status.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines(True) if line.startswith("error: ")]
    assert line.startswith(f"error: {sentence}")


def test_an_unknown_key_of_a_config_file_is_named(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text("nonesuch: 3\n")
    with pytest.raises(SystemExit):
        main(["fit", "--config", str(tmp_path / "mine.yaml")])
    assert "Unknown key 'nonesuch'." in capsys.readouterr().err


def test_other_messages_stay():
    assert explain("Something else.", set()) == "Something else."
