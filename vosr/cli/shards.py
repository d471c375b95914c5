"""``shards``: images into WebDataset shards."""

from jsonargparse import ArgumentParser, Namespace

from data_pipelines.shards import write_shards


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
    parser.add_function_arguments(write_shards, as_group=False, skip={"sources", "out"})


def run(options: Namespace) -> int:
    """Pack the images; status 0 when all is written."""
    settings = {k: v for k, v in options.as_dict().items() if k not in ("sources", "output")}
    return write_shards(options.sources, options.output, **settings)
