"""Files appear whole, with the permissions that the umask leaves."""

import os
from pathlib import Path

import pytest

from vosr.core.files.atomic import write_atomically, write_once


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_decides(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "a", lambda path: path.write_text("x"))
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


def test_nothing_stays_behind_when_it_is_interrupted(tmp_path):
    def stop(path):
        path.write_text("half")
        raise KeyboardInterrupt

    (tmp_path / "a").write_text("before")
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a", stop)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a", "before")]


@pytest.mark.parametrize("links", [True, False])
def test_what_appears_while_a_file_is_written_once_stays(tmp_path, monkeypatch, links):
    def write(path):
        path.write_text("second")
        (tmp_path / "a").write_text("first")

    if not links:

        def refuse(self, target):
            raise PermissionError("no links here")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
    write_once(tmp_path / "a", write)
    write_once(tmp_path / "b", lambda path: path.write_text("alone"))
    assert sorted((p.name, p.read_text()) for p in tmp_path.iterdir()) == [("a", "first"), ("b", "alone")]
