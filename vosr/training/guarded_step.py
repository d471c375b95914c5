"""Clipping and leaving out of an optimizer step, decided on the device where the optimizer can take it there.

Reading the gradient's norm each step would make the host wait for the device and leave it without work. torch's fused
optimizers take a divisor of the gradient and a flag that the step is to be left out as tensors; others need the host.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

POLL = 10
"""Steps between two looks of the host at what the device decided; on the CPU, where looking is free, one."""


def poll_every(device: torch.device) -> int:
    """Steps between two looks at tensors of ``device``."""
    return 1 if device.type == "cpu" else POLL


def parameters_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Every parameter of an optimizer."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def gradient_norm(parameters: Iterable[Tensor]) -> Tensor:
    """Euclidean norm of the whole gradient, a scalar that is the same on every rank, whether sharded or not."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients, foreach=True)
    return norm.full_tensor() if isinstance(norm, DTensor) else norm


def decides_on_device(optimizer: torch.optim.Optimizer) -> bool:
    """Whether the optimizer takes clipping and skipping as tensors: it is fused, and its weights are whole."""
    return bool(optimizer.defaults.get("fused")) and not isinstance(parameters_of(optimizer)[0], DTensor)


def guard_step(
    optimizer: torch.optim.Optimizer, clip: float | None, norm: Tensor, kept: Tensor | bool = True
) -> None:
    """Make the coming step use the gradient clipped to a norm, or nothing of it.

    Args:
        optimizer: about to step.
        clip: largest norm; None does not clip.
        norm: of the gradient, a scalar.
        kept: whether the step is to be made; a tensor only where :func:`decides_on_device`.
    """
    if decides_on_device(optimizer):
        limit = norm.new_ones(()) if clip is None else (norm / clip).clamp_min(1.0)
        device_side: Any = optimizer
        device_side.grad_scale = torch.where(norm.isfinite(), limit, 1.0).float()  # the kernel divides by it
        device_side.found_inf = 1.0 - torch.as_tensor(kept, device=norm.device).float()
        return
    if not kept:
        for parameter in parameters_of(optimizer):
            parameter.grad = None  # an optimizer leaves out what has no gradient
    elif clip is not None:
        torch.nn.utils.clip_grads_with_norm_(parameters_of(optimizer), clip, norm)


def without_fused(optimizer: torch.optim.Optimizer) -> None:
    """Turn the fused kernel off: fp16's loss scaler needs its flags for itself."""
    optimizer.defaults["fused"] = False
    for group in optimizer.param_groups:
        group["fused"] = False
    scaled: Any = optimizer
    scaled._step_supports_amp_scaling = False
