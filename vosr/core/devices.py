"""Devices by name, and the rules about dtypes that differ between them."""

import os

import torch

ASSUMED_MEMORY = 8 * 2**30
"""Bytes of a machine whose system does not say: ``--memory`` and ``memory`` say otherwise."""


def physical_memory() -> int:
    """Bytes of this machine's memory."""
    if not hasattr(os, "sysconf"):  # Windows
        return ASSUMED_MEMORY
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def pick_device(name: str) -> torch.device:
    """The device called ``name``, or the best one for "auto".

    Raises:
        ValueError: no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"Device {name!r} cannot be used here: {str(error).splitlines()[0]}") from error
    return device


def default_dtype(device: torch.device) -> torch.dtype:
    """What the dtype "auto" stands for: float16 on CUDA, float32 elsewhere.

    MPS has no float64, and half precision has not been measured there. What needs float64 (statistics of colour,
    positions of resizing) is computed on the CPU.
    """
    return torch.float16 if device.type == "cuda" else torch.float32
