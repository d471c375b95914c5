"""Activation checkpointing: what of each block is kept for the backward pass, and what is computed again."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

Checkpointing = bool | float | Literal["attention"]
"""Share of the blocks that is computed again (True: all, False: none), or "attention": all, but for attention."""

_ATEN = torch.ops.aten
ATTENTION = [
    _ATEN._scaled_dot_product_flash_attention.default,
    _ATEN._scaled_dot_product_efficient_attention.default,
    _ATEN._scaled_dot_product_cudnn_attention.default,
    _ATEN._scaled_dot_product_fused_attention_overrideable.default,
    _ATEN._scaled_dot_product_flash_attention_for_cpu.default,
]
"""Kernels whose results "attention" keeps: small beside a block's other activations, and dear to compute again."""


def check_checkpointing(policy: Checkpointing) -> None:
    """Refuse what is no policy.

    Raises:
        ValueError: neither "attention" nor a share in [0, 1].
    """
    if policy != "attention" and (isinstance(policy, str) or not 0 <= policy <= 1):
        raise ValueError(
            "model.parallel.activation_checkpointing must be true, false, attention or the share of the blocks that is "
            f"computed again, in [0, 1], not {policy}."
        )


def checkpoint_blocks(blocks: Sequence[nn.Module], policy: Checkpointing) -> None:
    """Let blocks forget their activations, in place; those of a share are spread evenly over the depth."""
    if policy == "attention":
        keep = partial(create_selective_checkpoint_contexts, ATTENTION)
        chosen, options = list(blocks), {"context_fn": keep}
    else:
        chosen, options = evenly(blocks, float(policy)), {}
    for block in chosen:
        block.forward = _recomputed(block.forward, options)


def evenly(blocks: Sequence[nn.Module], share: float) -> list[nn.Module]:
    """The blocks at which the running count of ``share`` a block becomes another whole number."""
    counts = [int(i * share + 1e-6) for i in range(len(blocks) + 1)]  # 3 * (1 / 3) is to be 1
    return [block for block, before, after in zip(blocks, counts, counts[1:]) if after > before]


def _recomputed(forward: Callable[..., Any], options: dict[str, Any]) -> Any:
    return partial(checkpoint, forward, use_reentrant=False, **options)
