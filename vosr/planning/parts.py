"""The parameters of a run by part, and what one rank stores of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from vosr.planning.job import TrainingJob, half_type
from vosr.training.base import TrainingModule
from vosr.training.distillation import DistillationModule

OptimizerFactory = Callable[[Any], torch.optim.Optimizer]


@dataclass(frozen=True)
class Parts:
    """Modules of a run on the meta device.

    Attributes:
        backbone: trained; its average has the same parameters.
        teacher: frozen and sharded like the backbone, for distillation.
        frozen: parts that every rank holds whole, by name.
        optimizer: of the backbone.
        teacher_dtype: that the teacher is held in.
    """

    backbone: nn.Module
    teacher: nn.Module | None
    frozen: dict[str, nn.Module]
    optimizer: OptimizerFactory
    teacher_dtype: torch.dtype = torch.float32


def parts_of(module: TrainingModule) -> Parts:
    """Parts of a module whose backbones are not made yet."""
    with torch.device("meta"):
        backbone = module.build_backbone()
    if isinstance(module, DistillationModule):
        teacher, held = module.teacher.backbone, module.teacher_dtype
    else:
        teacher, held = None, torch.float32
    return Parts(backbone, teacher, module.frozen_parts(), module.optimizer, held)


def stored(
    tensors: Iterable[Tensor], job: TrainingJob, held: torch.dtype | None = None
) -> list[nn.Parameter]:
    """What the fullest rank stores of parameters or buffers, on the meta device; ``held`` in another type.

    FSDP2 splits every tensor along its first axis and pads the shards to the size of the first one.
    """
    ranks = job.shards if job.strategy == "fsdp" else 1
    dtype = half_type(job.precision) if job.precision.endswith("true") else held
    local = []
    for tensor in tensors:
        first, *rest = tensor.shape or (1,)
        shape = (-(-first // ranks), *rest)
        kept = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
        local.append(nn.Parameter(torch.empty(shape, dtype=kept, device="meta"), requires_grad=False))
    return local


def size(tensors: Iterable[Tensor]) -> int:
    """Bytes."""
    return sum(tensor.nbytes for tensor in tensors)


def parameter_count(module: nn.Module) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def optimizer_size(factory: OptimizerFactory, parameters: list[nn.Parameter]) -> int:
    """Bytes of the optimizer's state for ``parameters``, found by letting it take a step without memory.

    On fake tensors of the CPU, not on meta ones: fused optimizers refuse those.
    """
    with FakeTensorMode():
        twins = [nn.Parameter(torch.empty(p.shape, dtype=p.dtype)) for p in parameters]
        for twin in twins:
            twin.grad = torch.empty_like(twin)
        optimizer = factory(twins)
        optimizer.step()
    values = [value for state in optimizer.state.values() for value in state.values()]
    return size(value for value in values if isinstance(value, Tensor))
