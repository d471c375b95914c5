import pytest

from vosr.cli.errors import explain

TEACHER_KEYS = ["encoder", "guidance", "sampling.steps", "sampling.solver"]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "Option 'encodr' is not accepted",
            "Unknown key 'encodr'. Did you mean 'encoder'? Valid here: encoder, guidance.",
        ),
        (
            "unrecognized arguments: --sampling.stpes=3",
            "Unknown key 'sampling.stpes'. Did you mean 'steps'? Valid here: solver, steps.",
        ),
        (
            "Option 'trainer.max_step' is not accepted",
            "Unknown key 'trainer.max_step'. Did you mean 'max_steps'? The command's --help lists the valid ones.",
        ),
        (
            'Parser key "objective": - Expected a path but vosr.objectives.rcgm.RCGM either not accessible or '
            "invalid - Import path vosr.objectives.rcgm.RCGM does not correspond to a subclass of TeacherObjective",
            "RCGM is no TeacherObjective, which is needed here. Those that are: flow_matching.",
        ),
        (
            'Parser key "model": - Expected a path but Teacher either not accessible or invalid - Does not '
            "validate against any of the Union subtypes - Expected a dot import path string: Teacher",
            "There is no class 'Teacher'. Did you mean 'TeacherModule'? Give a registered name "
            "(python main.py components) or a dotted path.",
        ),
        (
            "Parser key \"color_fix\": Errors: - Expected a typing.Literal['adain', 'none'] - Expected a <class",
            "Parser key \"color_fix\": Expected one of 'adain', 'none'",
        ),
        (
            "the following arguments are required: fit.data, fit.model",
            "No model and data: give a config, such as --config distill or --config teacher.",
        ),
        ("Something else.", "Something else."),
    ],
)
def test_messages(message, expected):
    keys = {"encoder", "guidance", "steps", "solver", "max_steps", "TeacherModule"}
    assert explain(message, keys, TEACHER_KEYS) == expected
