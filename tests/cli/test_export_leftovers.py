"""An export that was killed leaves nothing for ever, and two never write into one folder."""

import pytest

from vosr.cli import main
from vosr.core.files.lock import locked


def test_leftovers_of_a_killed_export_are_removed(tmp_path, capfd):
    out = tmp_path / "out"
    out.mkdir()
    for name in (".model.safetensors.0a1b2c3d.tmp", ".config.json.0a1b2c3d.tmp", ".mine.tmp"):
        (out / name).write_bytes(b"half")
    assert main(["export", "--model", "vosr_small_student", "-o", str(out)]) == 0
    names = [".mine.tmp", "README.md", "config.json", "faithful.safetensors", "model.safetensors"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert f"--model {out}" in capfd.readouterr().out
    assert "--model ./out" in (out / "README.md").read_text()
    with locked(out), pytest.raises(SystemExit):
        main(["export", "--model", "vosr_small_student", "-o", str(out)])
    assert "Another process is writing in" in capfd.readouterr().err
