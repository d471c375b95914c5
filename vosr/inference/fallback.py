"""Retry with smaller tiles when out of memory."""

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

from vosr.inference.memory import TilePlan, least_block
from vosr.model import RestorationModel

log = logging.getLogger("vosr")
T = TypeVar("T")


def retry_smaller(
    model: RestorationModel, device: torch.device, plan: TilePlan, work: Callable[[TilePlan], T]
) -> tuple[TilePlan, T]:
    """Do ``work`` by ``plan``; where memory runs out, once more by a smaller one.

    Returns:
        The plan that did it, and the result.

    Raises:
        ValueError: memory ran out again.
    """
    try:
        return plan, work(plan)
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
    autoencoder, patch = model.conditioner.autoencoder, model.backbone.patch_size
    size = model.card.training_size // autoencoder.factor // patch * patch
    smaller = plan.smaller(max(4 * patch, size // 2), least_block(autoencoder.context), size)
    log.warning("Memory ran out; once more with tiles of %d px.", smaller.tile * autoencoder.factor)
    try:
        return smaller, work(smaller)
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        advice = f"tile={4 * model.multiple} or more, memory=1, or device='cpu'"
        raise ValueError(f"Out of memory on {device} even with small tiles; set {advice}.") from error


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; the CPU's allocator raises a plain RuntimeError."""
    message = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        "alloc" in message and ("memory" in message or "cublas" in message)
    )
