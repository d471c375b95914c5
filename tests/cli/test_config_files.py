"""Config files that cannot be read are named."""

import pytest

from vosr.cli.configs import check_configs, named_configs
from vosr.core.packaged import CONFIGS


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


@pytest.mark.parametrize("form", ["--config={}", "-c {}", "--config {}", "--teacher_config={}"])
def test_packaged_configs_go_by_name_and_files_before_them(tmp_path, monkeypatch, form):
    monkeypatch.chdir(tmp_path)
    given = ["fit", *form.format("cluster/fsdp").split(), "--name", "teacher"]
    expected = form.format(CONFIGS / "cluster/fsdp.yaml").split()
    assert named_configs(given) == ["fit", *expected, "--name", "teacher"]
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster/fsdp").write_text("name: own")
    assert named_configs(given) == given


def test_a_name_that_is_none_is_told_with_the_nearest(tmp_path, monkeypatch):
    with pytest.raises(
        ValueError, match=r"^No config teachr\. Did you mean teacher\? Give a file, or one of: "
    ):
        named_configs(["--config", "teachr"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ValueError, match=r"^No config configs/teacher\.yaml\. --config teacher is the packaged"
    ):
        check_configs(["--config", "configs/teacher.yaml"])
