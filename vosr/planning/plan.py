"""A training run's costs, put together."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from vosr.planning.communication import Collective, communication, wire_seconds
from vosr.planning.devices import Device
from vosr.planning.job import TrainingJob
from vosr.planning.memory import memory
from vosr.planning.parts import Parts, parts_of
from vosr.planning.trace import StepTrace, trace_step
from vosr.training.base import TrainingModule
from vosr.training.recomputation import Checkpointing

RESERVE = 0.08
"""Share of a device's memory that the driver, libraries and fragmentation take."""

DAY = 86_400


@dataclass(frozen=True)
class Plan:
    """Costs of a job.

    Attributes:
        job: what was planned.
        device: on which.
        flops: of one rank and optimizer step, by part.
        memory: bytes of the fullest rank by kind.
        collectives: of one optimizer step.
        compute: seconds of one optimizer step without communication; None where the device's speed is not known.
        wire: seconds of one optimizer step's communication at full bandwidth.
    """

    job: TrainingJob
    device: Device
    flops: dict[str, int]
    memory: dict[str, int]
    collectives: list[Collective]
    compute: float | None
    wire: float

    @property
    def total_memory(self) -> int:
        """Bytes of the fullest rank."""
        return sum(self.memory.values())

    @property
    def fits(self) -> bool:
        """Whether the device has that much, less :data:`RESERVE`."""
        return self.total_memory <= usable(self.device)

    @property
    def step(self) -> float | None:
        """Seconds of an optimizer step: communication hides behind computation, unless it takes longer."""
        return None if self.compute is None else max(self.compute, self.wire)

    @property
    def days(self) -> float | None:
        """Days of the whole run, validation left out."""
        return None if self.step is None else self.step * self.job.max_steps / DAY


class Planner:
    """Plans variants of one module's training; what two of them share is computed once.

    Args:
        module: on the meta device or any other.
        utilisation: share of the device's peak that training reaches.
    """

    def __init__(self, module: TrainingModule, utilisation: float) -> None:
        if not 0 < utilisation <= 1:
            raise ValueError(f"utilisation must be in (0, 1], not {utilisation}.")
        self.utilisation = utilisation
        self.parts: Parts = parts_of(module)

        @cache
        def traced(
            batch_size: int, crop_size: int, precision: str, checkpointing: Checkpointing
        ) -> StepTrace:
            return trace_step(module, batch_size, crop_size, precision, checkpointing)

        self._traced: Callable[[int, int, str, Checkpointing], StepTrace] = traced

    def trace(self, job: TrainingJob) -> StepTrace:
        """The job's forward and backward pass."""
        return self._traced(job.batch_size, job.crop_size, job.precision, job.checkpointing)

    def plan(self, job: TrainingJob, device: Device) -> Plan:
        """Costs of ``job`` on ``device``."""
        trace = self.trace(job)
        flops = {part: count * job.accumulate for part, count in trace.flops.items()}
        collectives = communication(self.parts, trace, job)
        peak = device.peak(job.precision)
        return Plan(
            job,
            device,
            flops,
            memory(self.parts, trace, job),
            collectives,
            None if peak is None else sum(flops.values()) / (peak * self.utilisation),
            wire_seconds(collectives, device),
        )


def usable(device: Device) -> float:
    """Bytes that a training run can have of a device's memory."""
    return device.memory * (1 - RESERVE)
