"""``shards``: images into WebDataset shards."""

from jsonargparse import ArgumentParser, Namespace

from data_pipelines.shards import write_shards
from data_pipelines.shards.on_ray import write_shards_on_ray
from vosr.cli.cluster import add_cluster_arguments, cluster_of


def add_arguments(parser: ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "sources",
        nargs="+",
        type=str,
        help="Folders (searched recursively), images, lists (.txt), tar shards, patterns or URLs.",
    )
    parser.add_argument(
        "-o", "--output", type=str, required=True, help="Folder for shards, index.json and dropped.tsv."
    )
    parser.add_function_arguments(write_shards, as_group=False, skip={"sources", "out", "merge"})
    add_cluster_arguments(parser)


def run(options: Namespace) -> int:
    """Pack the images; status 0 when all is written."""
    own = ("sources", "output", "engine", "ray_address", "ray_workers")
    settings = {k: v for k, v in options.as_dict().items() if k not in own}
    cluster = cluster_of(options)
    if cluster is None:
        return write_shards(options.sources, options.output, **settings)
    return write_shards_on_ray(options.sources, options.output, cluster, **settings)
