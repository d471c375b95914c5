"""``shards`` over a cluster: its parts are tasks of Ray, and one that is lost goes on elsewhere from its journal."""

from typing import Any

from data_pipelines.shards.write import write_shards
from vosr.core.ray_cluster import RayCluster


def write_shards_on_ray(sources: list[str], out: str, cluster: RayCluster, **settings: Any) -> int:
    """Pack images as :func:`write_shards` does, one part for each process that works at a time.

    Args:
        sources: as there.
        out: likewise; every machine of the cluster sees it.
        cluster: where.
        settings: of :func:`write_shards`, but for ``shard``.

    Returns:
        Exit status, 0.

    Raises:
        ValueError: see :func:`write_shards`; or no Ray, or no cluster.
    """
    if settings.pop("shard", None) is not None:
        raise ValueError("--shard and --engine ray both share out the work; leave out one of the two.")
    with cluster.connected() as ray:
        count, _ = cluster.share(ray)
        settings["processes"] = settings.get("processes") or 1

        def pack(index: int) -> str | None:
            try:
                cluster.enter_folder()
                write_shards(sources, out, shard=f"{index + 1}/{count}", merge=False, **settings)
            except ValueError as error:  # not to be tried again
                return str(error)
            return None

        remote = ray.remote(num_cpus=1, max_retries=-1)(pack)
        problems = [
            problem for problem in ray.get([remote.remote(index) for index in range(count)]) if problem
        ]
    if problems:
        raise ValueError(" ".join(dict.fromkeys(problems)))
    return write_shards(sources, out, shard=f"1/{count}", **settings)  # which is packed: they are merged
