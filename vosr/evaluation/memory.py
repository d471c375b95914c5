"""Peak memory of a piece of work."""

import ctypes
import sys
from pathlib import Path

import torch

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
MIB = 2**20


class PeakMemory:
    """MiB that the work between construction and :meth:`read` needs at its peak.

    On CUDA what PyTorch's allocator holds, weights included; on the CPU the growth of the process's resident memory.
    None where the operating system does not report a peak (only Linux resets it).

    Args:
        device: that the work runs on.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._base = 0.0
        self._known = True
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            return
        self._base = resident()
        try:
            _CLEAR.write_text("5")
        except OSError:
            self._known = False

    def read(self) -> float | None:
        """The peak so far."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) / MIB
        peak = _status("VmHWM:") if self._known else None
        return None if peak is None else max(0.0, peak - self._base)


def resident() -> float:
    """MiB of the process in memory now, freed memory given back first; 0 where the operating system does not tell."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc
        if trim is not None:
            trim(0)
    return _status("VmRSS:") or 0.0


def _status(name: str) -> float | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), None)
