"""YAML of reasonable size is read, and what would expand without end is refused at once."""

import pytest
import yaml

from vosr.cli import main
from vosr.cli.values import load_yaml

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
MERGED = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 40))


def test_aliases_that_stand_for_little_are_read():
    assert load_yaml("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}") == {
        "a": {"x": 1},
        "b": {"x": 1},
        "c": {"x": 1, "y": 2},
    }
    assert load_yaml("") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "more than 100000"),
        (MERGED, "more than 100000"),
        ("a: &a [*a]", "within what it names"),
        ("[" * 5000, "nested"),
    ],
    ids=["aliases", "merges", "itself", "depth"],
)
def test_bombs_are_refused(text, message, tmp_path, capfd):
    with pytest.raises(yaml.YAMLError, match=message):
        load_yaml(text)
    (tmp_path / "bomb.yaml").write_text(text)
    with pytest.raises(SystemExit):
        main(["fit", "--config", str(tmp_path / "bomb.yaml")])
    assert f"error: {tmp_path / 'bomb.yaml'} is no YAML" in capfd.readouterr().err


@pytest.mark.parametrize("text", [BOMB, MERGED], ids=["aliases", "merges"])
@pytest.mark.parametrize(
    "arguments", [["degrade", "a.png", "--degradation"], ["ablate", "--config"]], ids=lambda given: given[0]
)
def test_bombs_in_other_commands_are_refused(text, arguments, tmp_path, capfd):
    (tmp_path / "bomb.yaml").write_text(text)
    with pytest.raises(SystemExit) as end:
        main([*arguments, str(tmp_path / "bomb.yaml")])
    assert end.value.code == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "more than 100000 values" in line


def test_a_component_that_is_no_yaml_is_one_sentence(tmp_path, capfd):
    (tmp_path / "broken.yaml").write_text("class_path: [x")
    with pytest.raises(SystemExit):
        main(["degrade", "a.png", "--degradation", str(tmp_path / "broken.yaml")])
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path / 'broken.yaml'} is no YAML: ")
