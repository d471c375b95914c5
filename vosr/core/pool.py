"""A pool of worker processes that outlasts crashes and hangs of its workers; without workers, calls run in this one."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Generic, TypeVar

T = TypeVar("T")
PATIENCE = 900.0
"""Seconds that a call may take; calls end themselves well before, where they can."""
GRACE = 30.0
"""Seconds that calls get to come to their end when the pool is closed."""


class Task(Generic[T]):
    """A call that is under way."""

    def __init__(self, call: Callable[..., T], arguments: tuple[Any, ...], future: "Future[T]") -> None:
        self.call, self.arguments, self.future = call, arguments, future

    @property
    def over(self) -> bool:
        """Whether its result can be taken without waiting."""
        return self.future.done()


class Pool:
    """Runs calls in ``workers`` processes; with 0 at once, in this one.

    A worker that dies (a decoder that crashes on a damaged file, or the system that is out of memory) takes its
    siblings' calls with it; those are then tried one by one, so that only the culprit fails.

    Args:
        workers: processes.
        preload: modules that the processes share instead of importing them each; none where a library would not bear
            it.
    """

    def __init__(self, workers: int, preload: Sequence[str] = ()) -> None:
        self._workers = workers
        self._preload = list(preload)
        self._processes = self._started(workers) if workers else None

    def submit(self, call: Callable[..., T], *arguments: Any) -> Task[T]:
        """Start a call; its function and arguments are pickled."""
        if self._processes is None:
            return Task(call, arguments, _immediate(call, arguments))
        try:
            return Task(call, arguments, self._processes.submit(call, *arguments))
        except BrokenProcessPool:
            self._processes = self._started(self._workers)
            return Task(call, arguments, self._processes.submit(call, *arguments))

    def result(self, task: Task[T]) -> T:
        """Wait for a call; raises what it raised.

        Raises:
            ValueError: the process died of it.
        """
        try:
            return task.future.result(PATIENCE)
        except FutureTimeout:
            if task.future.done():
                raise
            _kill(
                self._processes
            )  # which breaks what the other processes do; they are tried again like this call
        except BrokenProcessPool:
            pass
        return self._alone(task)

    def close(self) -> None:
        """Let calls that run come to their end, but for ones that hang; drop those that wait."""
        if self._processes is None:
            return
        running = _processes_of(self._processes)
        self._processes.shutdown(wait=False, cancel_futures=True)
        until = time.monotonic() + GRACE
        for process in running:
            process.join(max(0.0, until - time.monotonic()))
        for process in running:
            if process.is_alive():
                process.kill()
                process.join()

    def _alone(self, task: Task[T]) -> T:
        """Run a call once more in a process of its own."""
        alone = self._started(1)
        try:
            return alone.submit(task.call, *task.arguments).result(PATIENCE)
        except FutureTimeout as error:
            raise ValueError(f"the process that worked on it hung for {PATIENCE:.0f} seconds") from error
        except BrokenProcessPool as error:
            raise ValueError("the process that worked on it died (a crash, or out of memory)") from error
        finally:
            _kill(alone)
            alone.shutdown(wait=False)

    def _started(self, workers: int) -> ProcessPoolExecutor:
        method = "forkserver" if self._preload and os.name == "posix" else "spawn"
        context: Any = multiprocessing.get_context(method)  # forked children inherit locks of torch's threads
        if method == "forkserver":
            context.set_forkserver_preload(self._preload)
        return ProcessPoolExecutor(workers, context, _begin_reader)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_cores(processes: int) -> None:
    """Give this process its share of the cores among as many as it; to be called before torch is loaded.

    A number of threads that the user has set stays.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // processes)))


def _begin_reader() -> None:
    begin_worker()
    share_cores(cores())  # decoding takes one thread


def _processes_of(pool: ProcessPoolExecutor) -> list[Any]:
    return list((pool._processes or {}).values())  # public from Python 3.14 on, as kill_workers


def _kill(pool: ProcessPoolExecutor | None) -> None:
    if pool is not None:
        for process in _processes_of(pool):
            process.kill()


def begin_worker() -> None:
    """Leave Ctrl-C to the process that started this one, and end with it even where it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _immediate(call: Callable[..., T], arguments: tuple[Any, ...]) -> "Future[T]":
    future: Future[T] = Future()
    try:
        future.set_result(call(*arguments))
    except Exception as error:  # whatever it is, it is raised again where the result is taken
        future.set_exception(error)
    return future
