"""Nothing that only POSIX has is needed to import: Windows restores and trains on one device."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, signal, sys

import lightning, torch, webdataset, torch.distributed.checkpoint  # others' packages find the platform they are on

for name in ("SIGUSR1", "SIGUSR2", "SIGALRM", "SIGKILL", "SIGHUP", "SIGQUIT", "SIGCHLD", "SIGPIPE", "setitimer",
             "alarm"):
    if hasattr(signal, name):
        delattr(signal, name)
for name in ("fork", "getuid", "geteuid", "getgid", "sched_getaffinity", "mkfifo", "killpg", "setsid", "getpgid",
             "uname", "O_CLOEXEC", "O_NONBLOCK", "sysconf"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None  # import fails

import importlib, pathlib

failed = []
for package in ("vosr", "data_pipelines"):
    for path in sorted(pathlib.Path(package).rglob("*.py")):
        name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        try:
            importlib.import_module(name)
        except Exception as error:
            failed.append(f"{name}: {type(error).__name__}: {error}")
print("\\n".join(failed))
"""


def test_every_module_is_imported_without_what_only_posix_has():
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=580,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "", result.stdout
