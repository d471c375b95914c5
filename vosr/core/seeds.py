"""Random streams that depend on what they are for, not on the order of the work."""

import hashlib

import torch
from torch import Tensor


def derive_seed(*parts: object) -> int:
    """A stable 63-bit seed of the given values (compared by their text)."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def generator_for(*parts: object, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator seeded with :func:`derive_seed`."""
    return torch.Generator(device).manual_seed(derive_seed(*parts))


def noise_for(seeds: list[int], shape: tuple[int, ...], device: torch.device | str = "cpu") -> Tensor:
    """Standard normal noise (len(seeds), *shape), each sample from its own seed.

    Drawn on the CPU, so that a seed gives the same image on every device.
    """
    noise = torch.empty(len(seeds), *shape)
    for one, seed in zip(noise, seeds):
        one.normal_(generator=torch.Generator().manual_seed(seed))
    return noise.to(device)
