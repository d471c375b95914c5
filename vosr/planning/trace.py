"""One training step on tensors without memory: its floating-point operations and what it keeps alive."""

from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from torch._subclasses.fake_tensor import FakeTensorMode

from vosr.planning.fake import AnyNumber, fake_children, fake_copy
from vosr.planning.flops import FlopsByPart
from vosr.planning.job import half_type
from vosr.planning.live_bytes import Kind, LiveBytes
from vosr.training.base import TrainingModule
from vosr.training.distillation import DistillationModule
from vosr.training.parallel import Parallelism, parallelise
from vosr.training.randomness import StepRandom
from vosr.training.recomputation import Checkpointing
from vosr.training.restoration import RestorationModule

FORWARD, TARGET, TEACHER = "student", "student without gradient", "teacher"
ENCODER, AUTOENCODER, REST, BACKWARD = "encoder", "autoencoder", "image loss", "backward"


@dataclass(frozen=True)
class StepTrace:
    """What one forward and backward pass does on one rank.

    Attributes:
        flops: floating-point operations by part.
        calls: evaluations of the student, with and without gradient, and of the teacher.
        encoding: live bytes by kind after each allocation while the frozen parts encode.
        forward: the same in the rest of the forward pass.
        backward: the same in the backward pass.
    """

    flops: Counter[str]
    calls: Counter[str]
    encoding: list[Counter[Kind]]
    forward: list[Counter[Kind]]
    backward: list[Counter[Kind]]


def trace_step(
    module: TrainingModule,
    batch_size: int,
    crop_size: int,
    precision: str,
    checkpointing: Checkpointing = False,
) -> StepTrace:
    """Run the module's own encoding and objective, and the backward pass, without memory or weights.

    The degradation is left out: it has no matrix products, and its images are small beside what follows.

    Args:
        module: on any device, the meta device too; it is left as it is.
        batch_size: images.
        crop_size: their side in pixels.
        precision: one of Lightning's.
        checkpointing: what of the backbone's blocks is computed again in the backward pass.
    """
    with torch.device("meta"):
        backbone = module.build_backbone().requires_grad_(True)
    stored = (
        (half_type(precision) or torch.float32) if precision.endswith("true") else None
    )  # files may be float16
    with FakeTensorMode(), AnyNumber():
        twin = fake_children(module, stored)
        twin.backbone = fake_copy(backbone, stored)
        if isinstance(twin, DistillationModule) and twin.teacher_dtype != torch.float32:
            twin.teacher = fake_copy(twin.teacher, twin.teacher_dtype)
        parallelise(twin.backbone, Parallelism(activation_checkpointing=checkpointing), None)
        return _run(twin, torch.rand(batch_size, module.image_channels, crop_size, crop_size), precision)


def _run(module: TrainingModule, hq: torch.Tensor, precision: str) -> StepTrace:
    random = StepRandom(module.seed, 0, [str(i) for i in range(len(hq))], hq.device)
    live, counter = LiveBytes([*module.parameters(), *module.buffers()]), FlopsByPart()
    if isinstance(module, RestorationModule):
        counter.watch(module.conditioner.encoder, ENCODER, ENCODER)
    counter.watch(module.backbone, FORWARD, TARGET)
    if isinstance(module, DistillationModule):
        counter.watch(module.teacher.backbone, TEACHER, TEACHER)
    with live, counter:
        with _autocast(precision):
            with counter.part(AUTOENCODER):
                frozen = module.frozen_pass(hq, hq, random)
            encoding = live.take()
            with counter.part(REST):
                loss = module.loss_of(hq, frozen, random)
        forward = live.take()
        with counter.part(BACKWARD):
            loss.total.backward()
        backward = live.take()
    return StepTrace(counter.flops, counter.calls, encoding, forward, backward)


def _autocast(precision: str) -> AbstractContextManager[Any]:
    """Lightning's own context: whether it caches cast weights makes a difference."""
    if not precision.endswith("mixed"):
        return nullcontext()
    kind: Any = precision
    return MixedPrecision(kind, "cpu").autocast_context_manager()
