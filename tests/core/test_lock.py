"""A folder is held by one process at a time and free when that ends, however it ends."""

import subprocess
import sys

import pytest

from vosr.core.files.lock import LOCK, locked

HOLD = """
import sys, time
from pathlib import Path
from vosr.core.files.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_processes_never_hold_one_folder(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match="Another process is writing in"), locked(tmp_path):
            pass
        other.kill()
        other.wait()
        assert (tmp_path / LOCK).exists()
        with locked(tmp_path):
            pass
    finally:
        other.kill()
    assert not (tmp_path / LOCK).exists()


def test_it_is_free_after_an_error(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path):
        assert (tmp_path / LOCK).exists()
