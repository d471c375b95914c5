"""Reading processes: which signals reach them, and what their deaths look like from the training process."""

import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch._C import _error_if_any_worker_fails

SHARED_MEMORY = "/dev/shm"
_OUT_OF_SHARED_MEMORY = ("(shm)", "shared memory", "Bus error")


def outlive_the_job(worker: int) -> None:
    """``worker_init_fn`` of a DataLoader: signals to the whole job end the training process alone.

    Schedulers, service managers and ``timeout`` signal every process of a job. The training process finishes its step
    then, for which it may need data; its own SIGTERM is what ends a reading process, as ever.
    """
    for name in ("SIGINT", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # not on macOS and Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_by_parent, daemon=True).start()


def _end_by_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent.pid and parent.is_alive():
        pass
    os._exit(0)


@contextmanager
def silent_deaths() -> Iterator[None]:
    """Keep torch from raising a reading process's death wherever the training process is at that moment.

    A DataLoader that is made in this block installs no handler of SIGCHLD: see :func:`deaths_raise`.
    """
    if not _handles_signals():
        yield
        return
    before = signal.getsignal(signal.SIGCHLD)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before or signal.SIG_DFL)


@contextmanager
def deaths_raise() -> Iterator[None]:
    """Raise the death of a reading process, RuntimeError, in this block: as it happens, or has happened before."""
    if not _handles_signals():
        yield
        return
    before = signal.signal(signal.SIGCHLD, lambda number, frame: _error_if_any_worker_fails())
    try:
        _error_if_any_worker_fails()
        yield
    finally:
        signal.signal(signal.SIGCHLD, before or signal.SIG_DFL)


def _handles_signals() -> bool:
    return hasattr(signal, "SIGCHLD") and threading.current_thread() is threading.main_thread()


def failure(message: str, timeout: float) -> str | None:
    """What befell a reading process, from what torch's DataLoader says; None where it is something else."""
    if any(part in message for part in _OUT_OF_SHARED_MEMORY):
        return (
            f"had too little shared memory: {_shared_memory()}. Give the container more (docker run --shm-size=8g), or "
            "lower data.batch_size or data.num_workers; data.num_workers=0 needs none."
        )
    if "timed out" in message:
        return f"gave nothing for {timeout:g} s (data.worker_timeout)."
    if "exited unexpectedly" in message or "killed by signal" in message:
        return "ended unexpectedly; was it killed, for memory perhaps?"
    return None


def _shared_memory() -> str:
    if not os.path.isdir(SHARED_MEMORY):  # noqa: PTH112
        return "this system has no /dev/shm"
    return f"{SHARED_MEMORY} holds {shutil.disk_usage(SHARED_MEMORY).total / 2**20:.3g} MiB"
