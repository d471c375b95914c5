"""Checkpoints of strategies that keep the whole model on every rank."""

from pathlib import Path
from typing import Any

from lightning.pytorch.plugins.io import TorchCheckpointIO

from vosr.checkpoints.training_state import CheckpointError, full_tensor, read_file, read_shards, write_file
from vosr.core.files.atomic import put_in_place, remove, write_atomically


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes one file, to a temporary place and then renamed; reads files and folders of shards."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write one file.

        Raises:
            CheckpointError: it could not be written; what was at ``path`` is untouched.
        """
        target = Path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():  # a checkpoint of shards under the same name
                new = target.with_name(f".{target.name}.new.tmp")
                write_file(checkpoint, new)
                put_in_place(new, target)
            else:
                write_atomically(target, lambda temporary: write_file(checkpoint, temporary))
        except (OSError, RuntimeError) as error:  # torch wraps errors of the disk
            raise CheckpointError(target, error) from error

    def load_checkpoint(
        self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Tensors and plain values only, whatever Lightning asks for: a checkpoint must not run code."""
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"No checkpoint {path}.")
        return read_shards(path, full_tensor) if path.is_dir() else read_file(path)

    def remove_checkpoint(self, path: Any) -> None:
        remove(Path(path))
