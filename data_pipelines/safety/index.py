"""What an index promises of a shard, held against the shard."""

import hashlib
import os
from typing import BinaryIO

from vosr.core.files.regular import open_regular


def check_archive(path: str, size: int, sha256: str) -> None:
    """Compare a local archive with its entry in the index; reads it once.

    Args:
        path: of the archive.
        size: bytes by the index, 0 where it does not say.
        sha256: checksum by the index, empty where it does not say.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what the index says.
    """
    with open_regular(path) as file:
        present = os.fstat(file.fileno()).st_size
        if size and present != size:
            raise ValueError(f"it has {present} bytes, {size} by its index")
        if sha256 and checksum(file) != sha256:
            raise ValueError("its checksum is not the one of its index")


def check_count(found: int, promised: int | None) -> None:
    """Compare the samples that a whole shard gave with what the index says.

    Raises:
        ValueError: there are fewer.
    """
    if promised is not None and found < promised:
        raise ValueError(f"it holds {found} samples, {promised} by its index")


def checksum(file: BinaryIO) -> str:
    """SHA-256 of what a file holds from its position on."""
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
