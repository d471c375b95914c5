"""Peak memory of a piece of work."""

from pathlib import Path

import torch

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
MIB = 2**20


class PeakMemory:
    """MiB that the work between construction and :meth:`read` needed at its peak, weights included.

    On CUDA what PyTorch's allocator held; on the CPU the process's resident memory, beyond ``base``. None where the
    operating system does not tell (only Linux resets the peak).

    Args:
        device: that the work runs on.
        base: MiB that are not counted, as :func:`resident` gave them before the model was opened.
    """

    def __init__(self, device: torch.device, base: float) -> None:
        self._device, self._base = device, base
        self._known = True
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
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
    """MiB of the process that are in memory now; 0 where the operating system does not tell."""
    return _status("VmRSS:") or 0.0


def _status(name: str) -> float | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), None)
