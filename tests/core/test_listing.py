"""A listing survives what happens to the folders that it walks."""

import shutil

from vosr.core.files.listing import walk


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


def test_links_to_itself_and_vanished_folders_are_told_and_passed_over(tmp_path):
    for name in ("a/1", "b/2", "c/3"):
        touch(tmp_path / name)
    (tmp_path / "a/self").symlink_to("self")
    told, found = [], []
    for folder, names in walk(tmp_path, lambda path, why: told.append((path.name, why))):
        found.append((folder.name, names))
        shutil.rmtree(tmp_path / "b", ignore_errors=True)
    assert found == [("a", ["1"]), ("c", ["3"])]
    assert told == [("self", "Too many levels of symbolic links"), ("b", "No such file or directory")]


def test_a_folder_that_was_never_there(tmp_path):
    told = []
    assert list(walk(tmp_path / "no", lambda *news: told.append(news))) == []
    assert len(told) == 1
