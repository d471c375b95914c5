"""Checkpoints of shards that are written while training goes on."""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions

from vosr.checkpoints.training_state import begin_sharded


class BackgroundWrite:
    """One write at a time, of the shards of all ranks; every rank has one of these.

    The shards are copied to host memory at once (pinned, beside CUDA), and training may change them. The write's
    messages between ranks have a group of their own: those of training would get between them.

    Args:
        timeout: how long a rank waits for another one's message.
    """

    def __init__(self, timeout: timedelta | None) -> None:
        cuda = torch.cuda.is_available()
        group = dist.new_group(backend="gloo", timeout=timeout)
        assert isinstance(group, dist.ProcessGroup)  # else a number: this process would be no member
        self._group = group
        self._stager = DefaultStager(StagingOptions(cuda, False, False, cuda))
        self._ended: Future[None] | None = None
        self.folder: Path | None = None

    def begin(self, checkpoint: dict[str, Any], folder: Path, then: Callable[[], None]) -> None:
        """Begin to write; ``then`` is called in the background when all ranks have written.

        Args:
            checkpoint: as for :func:`vosr.checkpoints.training_state.write_sharded`.
            folder: empty, the same one for all ranks.
            then: what else belongs to the write.
        """
        ended: Future[None] = Future()

        def end(written: Future[Any]) -> None:
            try:
                written.result()
                then()
            except BaseException as error:  # torch's own are no Exceptions
                ended.set_exception(error)
            else:
                ended.set_result(None)

        begin_sharded(checkpoint, folder, self._stager, self._group).add_done_callback(end)
        self._ended, self.folder = ended, folder

    def wait(self) -> None:
        """Wait for the write that was begun, and raise what it raised."""
        ended, self._ended, self.folder = self._ended, None, None
        if ended is not None:
            ended.result()
