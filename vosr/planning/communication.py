"""What ranks send each other in one optimizer step."""

from dataclasses import dataclass

from torch import nn

from vosr.planning.devices import Device
from vosr.planning.job import TrainingJob
from vosr.planning.parts import Parts
from vosr.planning.trace import FORWARD, TARGET, TEACHER, StepTrace


@dataclass(frozen=True)
class Collective:
    """One kind of collective.

    Attributes:
        name: of the operation.
        payload: bytes of whole tensors that go through it in one optimizer step.
        sent: bytes that each rank sends, by the ring algorithm.
        far: whether they leave the host.
    """

    name: str
    payload: int
    sent: int
    far: bool


def communication(parts: Parts, trace: StepTrace, job: TrainingJob) -> list[Collective]:
    """Collectives of one optimizer step; metrics and checkpoints are left out, they are small or rare.

    DDP sums float32 gradients once per optimizer step. FSDP gathers the weights of every evaluation, and once more for
    the backward pass of those with gradient; what is kept for that pass is gathered once before it. It scatters
    gradients after each backward pass, and sums the shards of several copies.
    """
    if job.ranks == 1:
        return []
    trained = _numel(parts.backbone)
    gradients = 4 * trained
    if job.strategy != "fsdp":
        return [Collective("all-reduce", gradients, int(2 * _others(job.ranks) * gradients), job.nodes > 1)]
    share, far = _others(job.shards), job.shards > job.devices or bool(job.devices % job.shards)
    width = 2 if job.half_gather else 4
    again = trained - kept_parameters(parts.backbone) if job.reshard else 0
    weights = trained - again + again * (2 * trace.calls[FORWARD] + trace.calls[TARGET])
    gathered, scattered = width * weights * job.accumulate, gradients * job.accumulate
    if parts.teacher is not None:
        width = min(width, parts.teacher_dtype.itemsize)
        gathered += width * trace.calls[TEACHER] * _numel(parts.teacher) * job.accumulate
    collectives = [
        Collective("all-gather", gathered, int(share * gathered), far),
        Collective("reduce-scatter", scattered, int(share * scattered), far),
    ]
    if job.copies > 1:
        shard = scattered // job.shards
        sent = int(2 * _others(job.copies) * shard)
        collectives.append(Collective("all-reduce", shard, sent, job.nodes > 1))
    return [collective for collective in collectives if collective.sent]


def kept_parameters(backbone: nn.Module) -> int:
    """Parameters that FSDP keeps gathered for the backward pass: those of the last block and of none."""
    blocks = list(backbone.blocks)  # type: ignore[arg-type]
    return _numel(backbone) - sum(_numel(block) for block in blocks[:-1])


def wire_seconds(collectives: list[Collective], device: Device) -> float:
    """Time on the wire, one collective after another, each at the full bandwidth of its slowest hop."""
    return sum(each.sent / (device.network if each.far else device.link) for each in collectives)


def _others(ranks: int) -> float:
    """Share of a tensor that a rank of a ring does not hold."""
    return (ranks - 1) / ranks


def _numel(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
