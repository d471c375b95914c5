"""Training checkpoints on disk: one file, or a folder of shards.

A file is what ``torch.save`` writes. A folder holds the tensors of weights and optimizers as
torch.distributed.checkpoint lays them out (every rank writes its part, any number of ranks reads them), and everything
else in ``plain.pt``. Both appear complete or not at all.
"""

import logging
import os
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemWriter
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner
from torch.distributed.checkpoint.staging import AsyncStager
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import async_save, save
from torch.distributed.checkpoint.storage import WriteResult

from vosr.checkpoints.shard_index import INDEX, SafeReader, check_parts, read_weight_index
from vosr.core.files.shown import reason

log = logging.getLogger(__name__)

PLAIN = "plain.pt"
SHARDED = ("state_dict", "optimizer_states")
"""Parts of a checkpoint whose tensors are written as shards."""

Keys = tuple[str | int, ...]
"""Keys that lead to a value inside nested dictionaries and lists."""

Memory = Callable[[Keys, torch.Size, torch.dtype], Tensor | None]
"""(keys, size, type) of a stored tensor -> where to read it to, or None to leave it out."""


class CheckpointError(OSError):
    """A checkpoint that could not be written."""

    def __init__(self, path: Path, cause: BaseException | None) -> None:
        super().__init__(f"Checkpoint {path} could not be written: {_reason(cause)}.")


def _reason(error: BaseException | None) -> str:
    """Message of the operating system, under what torch made of it."""
    if error is None:
        return "another rank failed"
    if isinstance(error, CheckpointException):
        return _reason(next(iter(error.failures.values()))[0])
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, OSError) and link.strerror:
            return link.strerror
        link = link.__cause__ or link.__context__
    message = str(error).strip() or type(error).__name__
    return message.splitlines()[-1].rstrip(".")


class _Writer(FileSystemWriter):
    """Carries the disk's message: an exception leaves its causes behind when it travels to another rank."""

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> torch.futures.Future[list[WriteResult]]:
        try:
            return super().write_data(plan, planner)
        except Exception as error:
            raise OSError(_reason(error)) from error


def is_complete(path: Path) -> bool:
    """Whether a file or folder is a whole checkpoint, as far as can be told without reading it."""
    if path.is_dir():
        return (path / PLAIN).is_file() and (path / INDEX).is_file()
    return zipfile.is_zipfile(path)  # the directory of a zip file stands at its end


def newest(paths: Iterable[Path]) -> Path | None:
    """The youngest sound checkpoint among ``paths``; others on the way to it are named in the log, with the reason."""
    for _, path in sorted(((_age(path), path) for path in paths), reverse=True):
        try:
            check_sound(path)
        except (OSError, ValueError) as error:
            log.warning("%s is not sound (%s); an older checkpoint is taken.", path, reason(error))
        else:
            return path
    return None


def check_sound(path: Path) -> None:
    """Look for damage in a checkpoint: a file is read once, of a folder of shards the index and the sizes.

    Raises:
        OSError, ValueError: it is incomplete or damaged.
    """
    if not is_complete(path):
        raise ValueError("it is incomplete")
    _check_zip(path / PLAIN if path.is_dir() else path)
    if path.is_dir():
        check_parts(path)


def _check_zip(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except Exception as error:  # zipfile raises kinds of its own, and zlib's
        raise ValueError(reason(error)) from error
    if damaged is not None:
        raise ValueError(f"{damaged} in it is damaged")


def _age(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # removed meanwhile; it is passed over as incomplete
        return 0


def write_file(checkpoint: dict[str, Any], path: Path) -> None:
    """``torch.save`` that returns when the disk has the bytes, so that a rename never comes before them."""
    with path.open("wb") as file:
        torch.save(checkpoint, file)
        file.flush()
        os.fsync(file.fileno())


def read_file(path: Path, mapped: bool = False) -> dict[str, Any]:
    """What :func:`write_file` wrote: tensors, memory-mapped if asked for, and plain values; never code."""
    checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    return checkpoint


def write_sharded(checkpoint: dict[str, Any], folder: Path) -> None:
    """Write a checkpoint into an empty folder; every rank calls this with its own shards.

    Args:
        checkpoint: nested dictionaries and lists; tensors under ``SHARDED`` may be DTensors.
        folder: the same one for all ranks.
    """
    tensors, record = _parted(checkpoint)
    save(tensors, storage_writer=_Writer(folder))
    if not dist.is_initialized() or dist.get_rank() == 0:
        write_file(record, folder / PLAIN)


def begin_sharded(
    checkpoint: dict[str, Any], folder: Path, stager: AsyncStager, group: dist.ProcessGroup
) -> Future[Any]:
    """Begin what :func:`write_sharded` does, and return when ``checkpoint`` may change.

    Args:
        checkpoint: as there.
        folder: as there.
        stager: copies the shards to where they stay until they are written.
        group: of all ranks, with a backend for the CPU; used by nothing else until the write has ended.

    Returns:
        Done when all ranks have written their shards, with the exception where one could not.
    """
    tensors, record = _parted(checkpoint)
    if dist.get_rank(group) == 0:
        write_file(record, folder / PLAIN)
    written = async_save(tensors, storage_writer=_Writer(folder), async_stager=stager, process_group=group)
    return written if isinstance(written, Future) else written.upload_completion


def _parted(checkpoint: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors that are written as shards, by name, and what ``plain.pt`` holds."""
    tensors: dict[Keys, Tensor] = {}
    plain = {
        key: _without_tensors(value, (key,), tensors) if key in SHARDED else value
        for key, value in checkpoint.items()
    }
    paths = {_name(keys): list(keys) for keys in tensors}
    return {_name(keys): value.detach() for keys, value in tensors.items()}, {"plain": plain, "paths": paths}


def read_shards(folder: Path, memory: Memory, together: bool = False) -> dict[str, Any]:
    """Read what :func:`write_sharded` wrote.

    Args:
        folder: to be read.
        memory: gives each tensor its place; a DTensor takes this rank's part, whatever the number of ranks was.
        together: whether all ranks read at once; else this process reads by itself.

    Returns:
        The checkpoint, with the tensors that ``memory`` gave.
    """
    record = read_file(folder / PLAIN)
    stored = read_weight_index(folder).state_dict_metadata
    tensors: dict[str, Tensor] = {}
    for name, keys in record["paths"].items():
        about: Any = stored[name]
        place = memory(tuple(keys), about.size, about.properties.dtype)
        if place is not None:
            tensors[name] = place
    load(tensors, storage_reader=SafeReader(folder), no_dist=not together)
    checkpoint: dict[str, Any] = record["plain"]
    for name, tensor in tensors.items():
        _insert(checkpoint, record["paths"][name], tensor)
    return checkpoint


def full_tensor(keys: Keys, size: torch.Size, dtype: torch.dtype) -> Tensor:
    """Memory for a whole tensor."""
    return torch.empty(size, dtype=dtype)


def averaged_weights(checkpoint: Path) -> dict[str, Tensor]:
    """Whole averaged weights of a training checkpoint of either form."""

    def average_alone(keys: Keys, size: torch.Size, dtype: torch.dtype) -> Tensor | None:
        return full_tensor(keys, size, dtype) if str(keys[1]).startswith("average.") else None

    read = (
        read_shards(checkpoint, average_alone) if checkpoint.is_dir() else read_file(checkpoint, mapped=True)
    )
    return {
        name.removeprefix("average."): value
        for name, value in read["state_dict"].items()
        if name.startswith("average.")
    }


def _name(keys: Keys) -> str:
    return "/".join(map(str, keys))


def _without_tensors(tree: Any, keys: Keys, tensors: dict[Keys, Tensor]) -> Any:
    """A copy of ``tree`` without its tensors, which go to ``tensors``."""
    if isinstance(tree, dict):
        kept = {}
        for key, value in tree.items():
            if isinstance(value, Tensor):
                tensors[(*keys, key)] = value
            else:
                kept[key] = _without_tensors(value, (*keys, key), tensors)
        return kept
    if isinstance(tree, list):
        return [_without_tensors(value, (*keys, i), tensors) for i, value in enumerate(tree)]
    return tree


def _insert(tree: Any, keys: list[str | int], value: Tensor) -> None:
    for key in keys[:-1]:
        tree = tree[key]
    tree[keys[-1]] = value
