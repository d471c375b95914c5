"""Config files that cannot be read are named."""

import pytest

from vosr.cli.configs import check_configs


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"model:\n  class_path: [a\n  b: c: d\n", r"two.yaml is no YAML: .* in line 3\."),
        (b"just text", "two.yaml is no config"),
        (b"", "two.yaml is no config"),
        (b"\xff\xfe\x00bad", "two.yaml is no YAML"),
        (None, r"No config .*two.yaml\. Did you mean .*tow.yaml\?"),
    ],
)
@pytest.mark.parametrize("form", ["--config={}", "-c {}", "--config {}"])
def test_the_file_is_named(tmp_path, content, message, form):
    (tmp_path / "one.yaml").write_text("name: run")
    (tmp_path / "tow.yaml").write_text("name: run")
    if content is not None:
        (tmp_path / "two.yaml").write_bytes(content)
    check_configs(["fit", "--config", str(tmp_path / "one.yaml")])
    with pytest.raises(ValueError, match=message):
        check_configs(
            ["fit", "--config", str(tmp_path / "one.yaml"), *form.format(tmp_path / "two.yaml").split()]
        )


def test_a_config_on_the_command_line_is_left_to_the_parser():
    check_configs(["fit", "--config", "{name: run}", "--trainer.max_steps=3"])
