"""Run folders that belong to one start of ``fit`` alone, also where two begin at the same moment."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only

from vosr.core.files.atomic import remove
from vosr.core.files.lock import LOCK
from vosr.training.run_folder import LAUNCH, next_run

_VARIABLE = "VOSR_RUN"
"""Passes the folder that the first process took to those that Lightning starts: ``<process id>:<folder>``."""


def claim_run(group: Path) -> Path:
    """Make the next free numbered folder of ``group``; other ranks find the one that rank 0 makes or has made.

    Raises:
        OSError: it cannot be made.
    """
    if getattr(rank_zero_only, "rank", 0):
        return _taken(group)
    made = group / f".{secrets.token_hex(4)}.tmp"
    made.mkdir(parents=True)
    try:
        (made / LAUNCH).write_text(_launch())  # before the folder has its name: ranks see both or neither
        run = _named(made, group)
        os.environ[_VARIABLE] = f"{os.getpid()}:{run}"
        return run
    except BaseException:
        remove(made)
        raise


def _named(made: Path, group: Path) -> Path:
    while True:
        run = next_run(group)
        try:
            return made.rename(run)
        except OSError:
            if not run.is_dir():
                raise  # else another start was faster


def give_up(run: Path) -> None:
    """Remove the folder of a run that left nothing in it."""
    if getattr(rank_zero_only, "rank", 0) or not run.is_dir():
        return
    if {path.name for path in run.iterdir()} <= {LAUNCH, LOCK}:
        for name in (LAUNCH, LOCK):
            (run / name).unlink(missing_ok=True)
        with suppress(OSError):  # the folders above hold other runs
            for folder in (run, run.parent, run.parent.parent):
                folder.rmdir()


def _taken(group: Path) -> Path:
    parent, _, run = os.environ.get(_VARIABLE, "").partition(":")
    if parent == str(os.getppid()):  # else it is left from another training in a process further up
        return Path(run)
    following = next_run(group)  # before looking: rank 0 may make it in between
    for path in group.glob(f"[0-9]*/{LAUNCH}"):
        with suppress(OSError):
            if path.read_text() == _launch():
                return path.parent
    return following  # rank 0 is about to make it


def _launch() -> str:
    """What the ranks of one start have in common."""
    names = (
        *("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "MASTER_ADDR", "MASTER_PORT"),
        *("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT"),
    )
    return " ".join(os.environ.get(name, "-") for name in names)
