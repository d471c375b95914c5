"""``components``: what can be swapped, by name."""

from rich.console import Console
from rich.table import Table

from vosr.registries import REGISTRIES
from vosr.registry import summary


def components() -> int:
    """List every registered component by kind, with one line each."""
    console = Console()
    for kind, registry in REGISTRIES.items():
        table = Table(title=f"{kind}   --model.{kind}=NAME", title_justify="left", box=None, show_header=False)
        for name, cls in registry:
            table.add_row(f"  [bold]{name}[/]", summary(cls))
        console.print(table)
        console.print()
    return 0
