"""Checks of the contract that every degradation keeps: for authors, for ``degrade --check`` and for the tests."""

from dataclasses import astuple
from typing import Any

import torch
from torch import Tensor

from vosr.degradations.base import Degradation, DegradationParams, to_8_bits

SIDE = 64
ALIKE = 1.01 / 255
"""A sum of another order may round the other way; anything beyond is a dependence on the batch."""


def faults(degradation: Degradation, batch_size: int = 4, seed: int = 0) -> list[str]:
    """Violations of the contract by a degradation, as ends of sentences; empty if there are none.

    Args:
        degradation: to be checked on the CPU.
        batch_size: images that are drawn and applied together.
        seed: of the images and draws.
    """
    side = -(-SIDE // degradation.scale) * degradation.scale
    hq = to_8_bits(torch.rand(batch_size, 3, side, side, generator=torch.Generator().manual_seed(seed)))
    hq[:, :, side // 2 :] = hq[:, :, :1].mean()  # a flat half: noise and borders show there
    with torch.random.fork_rng(devices=[]):
        params, again = (_sampled(degradation, batch_size, seed, elsewhere) for elsewhere in (1, 2))
        if not isinstance(params, DegradationParams):
            return [
                f"draws parameters of type {type(params).__name__}: derive a dataclass from DegradationParams"
            ]
        if not _equal(astuple(params), astuple(again)):
            return ["ignores the generator that sample is given: the same one draws different parameters"]
        kept = hq.clone()
        lq, replayed = (_applied(degradation, hq, params, elsewhere) for elsewhere in (1, 2))
        return [*_of_image(hq, kept, lq), *_of_batch(degradation, hq, params, lq, replayed)]


def _of_image(hq: Tensor, kept: Tensor, lq: Tensor) -> list[str]:
    if not torch.equal(hq, kept):
        return ["changes the HQ images that it is given"]
    if lq.shape != hq.shape:
        return [f"gives images {tuple(lq.shape)} for {tuple(hq.shape)}: the size of the HQ must be kept"]
    if not bool(lq.isfinite().all()) or float(lq.min()) < 0 or float(lq.max()) > 1:
        return ["gives values outside 0 to 1, or none"]
    if float((lq * 255 - (lq * 255).round()).abs().max()) > 1e-3:
        return ["gives values between 8-bit steps: end with vosr.degradations.base.to_8_bits"]
    return []


def _of_batch(
    degradation: Degradation, hq: Tensor, params: DegradationParams, lq: Tensor, replayed: Tensor
) -> list[str]:
    if not torch.equal(lq, replayed):
        return ["draws numbers in apply: the same parameters give different images; put a seed among them"]
    try:
        single = torch.cat(
            [degradation.apply(hq[i : i + 1], params.select(torch.tensor([i]))) for i in range(len(hq))]
        )
    except (IndexError, RuntimeError) as error:
        return [f"depends on the batch: parameters of single images fail ({error})"]
    if lq.shape == single.shape and float((lq - single).abs().max()) > ALIKE:
        worst = float((lq - single).abs().max()) * 255
        return [f"depends on the batch: an image alone differs from itself in a batch by {worst:.0f}/255"]
    return []


def _sampled(degradation: Degradation, count: int, seed: int, elsewhere: int) -> DegradationParams:
    torch.manual_seed(elsewhere)
    return degradation.sample(count, torch.Generator().manual_seed(seed))


def _applied(degradation: Degradation, hq: Tensor, params: DegradationParams, elsewhere: int) -> Tensor:
    torch.manual_seed(elsewhere)
    return degradation.apply(hq, params)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    return torch.equal(a, b) if isinstance(a, Tensor) else bool(a == b)
