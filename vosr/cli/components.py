"""``components``: what can be swapped, by name."""

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console

from vosr.core.registries import REGISTRIES
from vosr.core.registry import summary


def add_arguments(parser: ArgumentParser) -> None:
    """This command has no options."""


def run(options: Namespace) -> int:
    """List every registered component by kind, with one line each."""
    console = Console(soft_wrap=True)
    for kind, registry in REGISTRIES.items():
        console.print(f"[bold]{kind}[/]   --model.{kind}=NAME")
        width = max(map(len, registry.names()), default=0)
        for name, cls in registry:
            console.print(f"  {name:{width}}  {summary(cls)}", highlight=False, markup=False)
        console.print()
    return 0
