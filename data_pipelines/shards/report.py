"""Final report of the ``shards`` command."""

import json
from pathlib import Path

from rich.table import Table

from data_pipelines.shards.parts import DROPPED
from data_pipelines.sources.index import INDEX_NAME
from vosr.core.console import PlainConsole


def print_report(folder: Path) -> None:
    """Print what a finished folder of shards holds, and what was left out."""
    content = json.loads((folder / INDEX_NAME).read_text())
    table = Table("", "images", title=f"{len(content['shards'])} shards in {folder}", title_justify="left")
    table.add_row(f"packed ({content['bytes'] / 1e6:.1f} MB)", str(content["samples"]))
    for why, count in sorted(content["dropped"].items(), key=lambda item: -item[1]):
        table.add_row(f"left out: {why.replace('_', ' ')}", str(count))
    console = PlainConsole()
    console.print(table)
    if content["dropped"]:
        console.print(f"What was left out, one by one: {folder / DROPPED}")
    console.print(f"Next: python main.py fit --config teacher --data.train={folder}")
