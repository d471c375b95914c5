"""Time limits."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_AGAIN = 1.0
"""Seconds until the exception is raised once more, where a library has caught it."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Context manager that raises TimeoutError after ``seconds``.

    It interrupts Python, not a decoder that never returns to it: :class:`~vosr.core.pool.Pool` ends the process then.
    In other threads than the main one, and where the system has no timers, nothing is limited.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def over(number: int, frame: object) -> None:
        raise TimeoutError(f"it takes longer than {seconds:.0f} seconds")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
