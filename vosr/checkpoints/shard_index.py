"""The index of a checkpoint of shards, which torch pickles: read without running what it says."""

import io
import pickle
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch.distributed.checkpoint import filesystem, metadata
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta, TensorStorageMetadata

from vosr.core.files.shown import reason

INDEX = ".metadata"

_OF_METADATA = (
    "BytesStorageMetadata",
    "ChunkStorageMetadata",
    "Metadata",
    "MetadataIndex",
    "StorageMeta",
    "TensorProperties",
    "TensorStorageMetadata",
    "_MEM_FORMAT_ENCODING",
)


def _allowed() -> dict[tuple[str, str], Any]:
    """What the index of a checkpoint is made of, by module and name."""
    found: dict[tuple[str, str], Any] = {
        (cls.__module__, name): cls
        for module, names in ((metadata, _OF_METADATA), (filesystem, ("_StorageInfo",)))
        for name in names
        if (cls := getattr(module, name, None)) is not None
    }
    found |= {("torch", str(kind).removeprefix("torch.")): kind for kind in _dtypes()}
    found |= {("pathlib", name): PurePosixPath for name in ("PosixPath", "WindowsPath", "PurePosixPath")}
    found |= {("pathlib._local", name): PurePosixPath for name in ("PosixPath", "WindowsPath")}
    found["torch", "Size"] = torch.Size
    found["torch.serialization", "_get_layout"] = _layout
    return found


def _dtypes() -> set[torch.dtype]:
    return {value for value in vars(torch).values() if isinstance(value, torch.dtype)}


def _layout(name: str) -> torch.layout:
    known = {str(value): value for value in vars(torch).values() if isinstance(value, torch.layout)}
    return known[name]


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _allowed()[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no index holds") from None


def read_weight_index(folder: Path) -> Metadata:
    """The index of ``folder``.

    Raises:
        FileNotFoundError: it has none.
        ValueError: it is damaged, names code, or files outside of the folder.
    """
    content = (folder / INDEX).read_bytes()
    try:
        found = _Unpickler(io.BytesIO(content)).load()
        _check(found)
    except Exception as error:  # a pickle may be damaged in many ways
        raise ValueError(f"{folder / INDEX} is not the index of a checkpoint: {reason(error)}.") from error
    assert isinstance(found, Metadata)
    return found


def _check(found: Any) -> None:
    if not isinstance(found, Metadata):
        raise ValueError(f"it is a {type(found).__name__}")
    for name, stored in found.state_dict_metadata.items():
        if not isinstance(stored, TensorStorageMetadata):  # torch would unpickle anything else freely
            raise ValueError(f"{name} is no tensor")
    for place in (found.storage_data or {}).values():
        if PurePosixPath(place.relative_path).name != place.relative_path:
            raise ValueError(f"it names {place.relative_path}, which is not beside it")
        if getattr(place, "transform_descriptors", None):
            raise ValueError("its parts are transformed")


def check_parts(folder: Path) -> None:
    """Check that every file that the index names is as long as it says.

    Raises:
        OSError: a file is missing.
        ValueError: a file is too short, or the index is none.
    """
    ends: dict[str, int] = {}
    for place in (read_weight_index(folder).storage_data or {}).values():
        ends[place.relative_path] = max(ends.get(place.relative_path, 0), place.offset + place.length)
    for name, end in ends.items():
        if (folder / name).stat().st_size < end:
            raise ValueError(f"{folder / name} is cut off")


class SafeReader(FileSystemReader):
    """torch's reader of checkpoints, with :func:`read_weight_index` for the index."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        found = read_weight_index(Path(self.path))
        about = found.storage_meta or StorageMeta()
        about.load_id = self.load_id
        found.storage_meta = about
        return found
