"""A cluster of machines, by Ray (the extra ``ray``)."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE = 10.0
"""Seconds that a cluster may take to answer."""


@dataclass(frozen=True)
class RayCluster:
    """Where work goes to, and in how many parts at a time.

    Attributes:
        address: of a running cluster ("auto", "host:6379", "ray://host:10001"); None starts Ray on this machine.
        workers: processes that work at a time; by default one for each accelerator of the cluster, or core where there
            is none.
        folder: that relative paths are meant in, on every machine of the cluster.
    """

    address: str | None = None
    workers: int | None = None
    folder: str = field(default_factory=os.getcwd)

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """The module ``ray``, connected.

        Raises:
            ValueError: Ray is not installed, a number of workers below 1, or no cluster at the address.
        """
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"ray_workers must be at least 1, not {self.workers}.")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # Ray asks for it in a warning
        try:
            import ray
        except ImportError as error:
            raise ValueError(
                "--engine ray needs Ray, which is not installed: pip install 'vosr[ray]'."
            ) from error
        try:
            _knock(self.address)
            own = {"include_dashboard": False} if self.address is None else {"address": self.address}
            ray.init(logging_level=logging.ERROR, log_to_driver=False, **own)
        except Exception as error:  # of many kinds
            first = str(error).strip().splitlines()[0].rstrip(".")
            what = "Ray does not start here" if self.address is None else f"No Ray cluster at {self.address}"
            raise ValueError(f"{what}: {first}.") from error
        try:
            yield ray
        finally:
            ray.shutdown()

    def share(self, ray: Any) -> tuple[int, dict[str, int]]:
        """How many processes work at a time, and what each of them has."""
        there = ray.cluster_resources()
        accelerators = int(there.get("GPU", 0))
        each = {"num_gpus": 1} if accelerators else {"num_cpus": 1}
        return self.workers or accelerators or max(1, int(there.get("CPU", 1))), each

    def enter_folder(self) -> None:
        """Go to :attr:`folder`, on the machine of a worker.

        Raises:
            ValueError: this machine does not have it.
        """
        if not Path(self.folder).is_dir():
            raise ValueError(
                f"{os.uname().nodename} has no {self.folder}; machines of a cluster share their files."
            )
        os.chdir(self.folder)


def _knock(address: str | None) -> None:
    """Whether anything answers at ``host:port``: Ray itself would try for many minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
