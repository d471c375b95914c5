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
    """
    if job.ranks == 1:
        return []
    share = (job.ranks - 1) / job.ranks
    trained = _numel(parts.backbone)
    gradients = 4 * trained
    if job.strategy != "fsdp":
        return [Collective("all-reduce", gradients, int(2 * share * gradients))]
    width = 2 if job.half_gather else 4
    evaluations = trace.calls[FORWARD] * (2 if job.reshard else 1) + trace.calls[TARGET]
    weights = evaluations * trained
    if parts.teacher is not None:
        weights += trace.calls[TEACHER] * _numel(parts.teacher)
    gathered, scattered = width * weights * job.accumulate, gradients * job.accumulate
    return [
        Collective("all-gather", gathered, int(share * gathered)),
        Collective("reduce-scatter", scattered, int(share * scattered)),
    ]


def wire_seconds(collectives: list[Collective], job: TrainingJob, device: Device) -> float:
    """Time on the wire at full bandwidth of the slowest hop."""
    bandwidth = device.network if job.nodes > 1 else device.link
    return sum(collective.sent for collective in collectives) / bandwidth


def _numel(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
