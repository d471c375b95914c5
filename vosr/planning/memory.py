"""Memory of one rank by kind."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import nn

from vosr.planning.job import TrainingJob
from vosr.planning.live_bytes import Kind
from vosr.planning.parts import Parts, optimizer_size, size, stored
from vosr.planning.trace import FORWARD, TARGET, StepTrace


def memory(parts: Parts, trace: StepTrace, job: TrainingJob) -> dict[str, int]:
    """Bytes by kind at the moment of a training step that needs most, on the fullest rank.

    Gradients of a step stay until the next backward pass begins (Lightning frees them there). Under DDP they are
    there twice: torch's reducer has buckets of its own. Under FSDP the teacher is sharded as the backbone is, the
    autoencoder and the encoder are whole on every rank.
    """
    weights = size(stored(parts.backbone.parameters(), job))
    teacher = []
    if parts.teacher is not None:
        teacher = stored(parts.teacher.parameters(), job, parts.teacher_dtype)
    whole = _whole(job)
    frozen = [t for part in parts.frozen.values() for t in stored(_tensors(part), whole)]
    working = working_memory(trace, job, weights, size(parts.backbone.parameters()))
    return {
        "weights": weights,
        "gradients": weights,
        "gradient buckets": weights if job.strategy == "ddp" else 0,
        "optimizer": optimizer_size(parts.optimizer, stored(parts.backbone.parameters(), job)),
        "average (EMA)": weights,
        "frozen parts": size(frozen) + size(teacher),
        "activations": working["activations"],
        "weight copies": working["weight copies"],
        "gathered blocks": gathered_bytes(parts.backbone, job, trace) if job.strategy == "fsdp" else 0,
    }


def working_memory(trace: StepTrace, job: TrainingJob, gradients: int, full_gradients: int) -> Counter[Kind]:
    """Activations and cast copies of weights at the peak of a step, beyond gradients that are all there.

    Args:
        trace: of one forward and backward pass.
        job: accumulated gradients stay through the backward pass; under FSDP in half precision nothing is cast.
        gradients: bytes that a rank stores.
        full_gradients: bytes of unsharded ones.
    """

    def beyond(live: Counter[Kind], growing: bool) -> int:
        missing = gradients * (1 - live["gradients"] / full_gradients) if growing else 0
        return int(live["activations"] + live["weight copies"] - missing)

    cast = not (job.strategy == "fsdp" and job.half_gather)
    moments = [(live, False) for live in (*trace.encoding, *trace.forward)]
    moments += [(live, job.accumulate == 1) for live in trace.backward]
    if not cast:
        moments = [(_without_copies(live), growing) for live, growing in moments]
    live, growing = max(moments, key=lambda moment: beyond(*moment))
    peak = max(beyond(live, growing), 0)
    copies = min(live["weight copies"], peak)
    # torch's multi-tensor optimizers hold one temporary of the size of the weights, when activations are gone
    return Counter({"activations": max(peak - copies, gradients - copies), "weight copies": copies})


def gathered_bytes(backbone: nn.Module, job: TrainingJob, trace: StepTrace) -> int:
    """Bytes of weights that a rank gathers for the moment, and of the unsharded gradients of one block, under FSDP2.

    The block that runs, the next one on its way, what belongs to no block, the last block where an evaluation came
    before, and in the backward pass one block's gradients and the buffer that they are summed in. All weights, where
    they are not resharded.
    """
    width = torch.bfloat16.itemsize if job.half_gather else 4
    sizes = [sum(p.numel() for p in block.parameters()) for block in backbone.blocks]  # type: ignore[union-attr]
    block, inside = max(sizes, default=0), sum(sizes)
    everything = sum(p.numel() for p in backbone.parameters())
    last = sizes[-1] if sizes and trace.calls[FORWARD] + trace.calls[TARGET] > 1 else 0
    weights = everything - inside + 2 * block + last if job.reshard else everything
    return width * min(weights, everything) + 2 * 4 * block


def _without_copies(live: Counter[Kind]) -> Counter[Kind]:
    return Counter({kind: value for kind, value in live.items() if kind != "weight copies"})


def _tensors(module: nn.Module) -> Iterable[torch.Tensor]:
    yield from module.parameters()
    yield from module.buffers()


def _whole(job: TrainingJob) -> TrainingJob:
    return replace(job, strategy="single")
