"""Pages of memory-mapped files, given back once what they hold has been copied."""

import ctypes
import mmap
import sys
from pathlib import Path

from torch import Tensor

DONT_NEED = 4
"""``MADV_DONTNEED`` of Linux: a mapped file's pages are dropped, and read again if they are touched."""
MAPS = Path("/proc/self/maps")


class MappedFiles:
    """Address ranges of this process that are files, as they are now; none outside Linux."""

    def __init__(self) -> None:
        self._ranges: list[range] = []
        if sys.platform == "linux" and MAPS.exists():
            for line in MAPS.read_text().splitlines():
                addresses, _, _, _, inode, *_ = line.split(maxsplit=5)
                if inode != "0":
                    start, end = (int(at, 16) for at in addresses.split("-"))
                    self._ranges.append(range(start, end))

    def release(self, tensor: Tensor) -> None:
        """Drop the whole pages that ``tensor`` was read from, if it lies in a file; it can still be read."""
        if tensor.device.type != "cpu" or not tensor.is_contiguous():
            return
        first, last = tensor.data_ptr(), tensor.data_ptr() + tensor.nbytes
        if not any(first in place and last <= place.stop for place in self._ranges):
            return
        start, end = -(-first // mmap.PAGESIZE) * mmap.PAGESIZE, last // mmap.PAGESIZE * mmap.PAGESIZE
        if end > start:
            libc = ctypes.CDLL(None)
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), DONT_NEED)
