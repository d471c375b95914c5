"""Options of commands that a cluster can do."""

from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from vosr.core.ray_cluster import RayCluster


def add_cluster_arguments(parser: ArgumentParser) -> None:
    """``--engine`` and what belongs to it."""
    cluster = parser.add_argument_group("Cluster")
    cluster.add_argument(
        "--engine", type=Literal["local", "ray"], default="local", help="local: this machine; ray: a cluster."
    )
    cluster.add_argument(
        "--ray_address",
        type=str | None,
        help="Of a running cluster (auto, HOST:6379); else one is started here.",
    )
    cluster.add_argument(
        "--ray_workers", type=int | None, help="Processes at a time; one for each GPU, or core without any."
    )


def cluster_of(options: Namespace) -> RayCluster | None:
    """The cluster that was asked for; None for this machine.

    Raises:
        ValueError: options of a cluster without one.
    """
    if options.engine == "ray":
        return RayCluster(options.ray_address, options.ray_workers)
    for name in ("ray_address", "ray_workers"):
        if options[name] is not None:
            raise ValueError(f"--{name} needs --engine ray.")
    return None
