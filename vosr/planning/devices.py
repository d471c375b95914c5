"""Accelerators by name: memory, dense throughput and interconnect, from the makers' data sheets."""

import re
from dataclasses import dataclass

from vosr.core.devices import physical_memory

GIB = 2**30
TERA = 1e12
GIGA = 1e9


@dataclass(frozen=True)
class Device:
    """One accelerator.

    Attributes:
        memory: bytes.
        bf16: dense bfloat16 FLOP/s of the matrix units, without sparsity; None where no public figure fits.
        fp32: float32 FLOP/s outside the matrix units.
        link: bytes/s to another accelerator of the same host, one direction.
        network: bytes/s to another host, one direction, per accelerator in a usual machine.
        reported: pattern of the names that ``torch.cuda.get_device_name`` gives.
    """

    memory: int
    bf16: float | None
    fp32: float | None
    link: float
    network: float
    reported: str

    def peak(self, precision: str) -> float | None:
        """FLOP/s at one of Lightning's precisions; matrix products run in the half type where it has one."""
        return self.bf16 if "16" in precision else self.fp32


# Data sheets of NVIDIA's A100, H100 SXM, H200, HGX B200, L40S and the Ada whitepaper (RTX 4090), and AMD's MI300X.
DEVICES: dict[str, Device] = {
    "a100-40": Device(40 * GIB, 312 * TERA, 19.5 * TERA, 300 * GIGA, 25 * GIGA, "A100.*40GB"),
    "a100-80": Device(80 * GIB, 312 * TERA, 19.5 * TERA, 300 * GIGA, 25 * GIGA, "A100.*80GB"),
    "h100": Device(80 * GIB, 989.4 * TERA, 67 * TERA, 450 * GIGA, 50 * GIGA, "H100 80GB HBM3|H100 SXM"),
    "h200": Device(141 * GIB, 989.4 * TERA, 67 * TERA, 450 * GIGA, 50 * GIGA, "H200$"),
    "b200": Device(180 * GIB, 2250 * TERA, 75 * TERA, 900 * GIGA, 50 * GIGA, "B200$"),
    "rtx4090": Device(24 * GIB, 165.2 * TERA, 82.6 * TERA, 32 * GIGA, 3.1 * GIGA, "RTX 4090$"),
    "l40s": Device(48 * GIB, 362 * TERA, 91.6 * TERA, 32 * GIGA, 25 * GIGA, "L40S$"),
    "mi300x": Device(192 * GIB, 1307.4 * TERA, 163.4 * TERA, 448 * GIGA, 50 * GIGA, "MI300X"),
    "cpu": Device(physical_memory(), None, None, 10 * GIGA, 1.2 * GIGA, "(?!)"),
}
"""``cpu`` is this machine: its own memory, and no throughput, since no public figure fits every processor."""


def find_device(name: str) -> Device:
    """The device of that name.

    Raises:
        ValueError: not in the table.
    """
    if name not in DEVICES:
        raise ValueError(f"Unknown device {name!r}. Known: {', '.join(DEVICES)}.")
    return DEVICES[name]


def reported_device(name: str) -> Device | None:
    """The device that calls itself ``name``, as ``torch.cuda.get_device_name`` gives it; None if not in the table."""
    return next((device for device in DEVICES.values() if re.search(device.reported, name)), None)
