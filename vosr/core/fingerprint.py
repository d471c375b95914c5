"""Fingerprints of weights."""

import hashlib

import torch
from torch import nn

_VALUES = 4096
"""Values of each tensor that are looked at, spread evenly: gigabytes take no longer than megabytes."""


def fingerprint(module: nn.Module, without: str | None = None) -> str:
    """Sixteen hexadecimal digits that differ where stored weights do; empty for a module that stores none.

    Values count as bfloat16, so that the precision a module runs in changes nothing.

    Args:
        module: what holds the weights.
        without: part of the names of weights that do not count.
    """
    state = {k: v for k, v in module.state_dict().items() if without is None or without not in k}
    if not state or any(value.is_meta for value in state.values()):
        return ""
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        flat = value.detach().reshape(-1)
        chosen = flat[:: max(1, len(flat) // _VALUES)].to("cpu", torch.bfloat16)
        digest.update(f"{name} {tuple(value.shape)}".encode())
        digest.update(chosen.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
