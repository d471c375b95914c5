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
    """

    name: str
    payload: int
    sent: int


def communication(parts: Parts, trace: StepTrace, job: TrainingJob) -> list[Collective]:
    """Collectives of one optimizer step; metrics and checkpoints are left out, they are small or rare.

    DDP sums float32 gradients once per optimizer step. FSDP gathers the weights of every evaluation, and once more for
    the backward pass of those with gradient unless they were kept; it scatters gradients after each backward pass.
    Replicas of shards (HSDP) then sum what they hold.
    """
    if job.ranks == 1:
        return []
    trained = _numel(parts.backbone)
    gradients = 4 * trained
    if job.strategy != "fsdp":
        return [Collective("all-reduce", gradients, int(2 * _share(job.ranks) * gradients))]
    width = 2 if job.half_gather else 4
    evaluations = trace.calls[FORWARD] * (2 if job.reshard else 1) + trace.calls[TARGET]
    weights = evaluations * trained
    if parts.teacher is not None:
        weights += trace.calls[TEACHER] * _numel(parts.teacher)
    gathered, scattered = width * weights * job.accumulate, gradients * job.accumulate
    share = _share(job.shards)
    collectives = [
        Collective("all-gather", gathered, int(share * gathered)),
        Collective("reduce-scatter", scattered, int(share * scattered)),
    ]
    if job.replicas > 1:
        held = scattered // job.shards
        collectives.append(Collective("all-reduce", held, int(2 * _share(job.replicas) * held)))
    return collectives


def _share(ranks: int) -> float:
    """Part of a payload that a rank of a ring sends."""
    return (ranks - 1) / ranks


def wire_seconds(collectives: list[Collective], job: TrainingJob, device: Device) -> float:
    """Time on the wire at full bandwidth of each collective's slowest hop; shards of one host stay within it."""
    one_host = job.nodes == 1
    shards_in_one = one_host or job.devices % job.shards == 0
    return sum(
        each.sent
        / (device.link if (one_host if each.name == "all-reduce" else shards_in_one) else device.network)
        for each in collectives
    )


def _numel(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
