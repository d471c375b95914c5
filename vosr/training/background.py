"""Checkpoints of shards that are written while training goes on."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch.distributed as dist

from vosr.checkpoints.training_state import begin_shards
from vosr.core.files.atomic import put_in_place, remove


class BackgroundWriter:
    """Writes one checkpoint at a time in a thread; all ranks begin and wait for the same ones.

    Attributes:
        path: what is being written, or was last.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        self._group: Any = None  # of its own: training talks at the same time
        self._thread = ThreadPoolExecutor(1)
        self._done: Future[None] | None = None

    def begin(self, checkpoint: dict[str, Any], temporary: Path, path: Path) -> None:
        """Copy this rank's shards to the host's memory and write them to ``temporary``, which becomes ``path``."""
        if self._group is None:
            self._group = dist.new_group(backend="gloo")
        self.path = path
        written = begin_shards(checkpoint, temporary, self._group)
        self._done = self._thread.submit(_finish, written, temporary, path, dist.get_rank() == 0)

    def wait(self) -> None:
        """Until the one that was begun is whole.

        Raises:
            Exception, CheckpointException: it could not be written.
        """
        done, self._done = self._done, None
        if done is not None:
            done.result()

    def remove(self, path: Path) -> None:
        """Remove an older checkpoint once the one that was begun is whole; it stays where that fails."""
        done = self._done
        if done is None:
            remove(path)
        else:
            self._thread.submit(lambda: None if done.exception() else remove(path))


def _finish(written: "Future[Any]", temporary: Path, path: Path, first: bool) -> None:
    try:
        written.result()
        if first:
            put_in_place(temporary, path)
    except BaseException:
        if first:
            remove(temporary)
        raise
