"""Only regular files are read, whatever a name leads to, and never more than makes sense."""

import os

import pytest

from vosr.core.files.regular import open_regular, read_regular


def test_links_to_files_are_read(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert read_regular(tmp_path / "link") == b"abc"


def test_pipes_devices_and_folders_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name, kind in (("pipe", "a named pipe"), ("device", "a device"), (".", "a folder")):
        with pytest.raises(OSError, match=f"is {kind}, not a regular file"):
            open_regular(tmp_path / name)


def test_a_file_of_holes_is_not_read(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(OSError, match="more than 1024 MiB"):
        read_regular(tmp_path / "large")
    with pytest.raises(OSError, match="more than"):
        read_regular("/proc/self/maps", most=10)  # files that say they are empty
