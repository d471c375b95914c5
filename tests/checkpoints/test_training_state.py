"""What is said when a checkpoint of shards cannot be written."""

import errno
import os
import pickle
from pathlib import Path

import pytest
import torch
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemWriter

from vosr.checkpoints.training_state import CheckpointError, write_sharded


def test_the_cause_survives_the_way_to_another_rank(tmp_path, monkeypatch):
    def full(*args):
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:  # torch closes its file and fails again
            raise RuntimeError("unexpected pos 704 vs 598") from error

    monkeypatch.setattr(FileSystemWriter, "write_data", full)
    with pytest.raises(CheckpointException) as caught:
        write_sharded({"state_dict": {"w": torch.ones(3)}}, tmp_path)
    arrived = pickle.loads(pickle.dumps(caught.value.failures[0][0]))  # ranks exchange it so
    told = str(CheckpointError(Path("step.ckpt"), CheckpointException("write", {1: (arrived, None)})))
    assert told == "Checkpoint step.ckpt could not be written: No space left on device."
