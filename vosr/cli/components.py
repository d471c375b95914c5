"""``components``: what can be swapped, by name."""

from jsonargparse import ArgumentParser, Namespace
from rich.text import Text

from vosr.core.console import PlainConsole
from vosr.core.registry import REGISTRIES, summary


def add_arguments(parser: ArgumentParser) -> None:
    """This command has no options."""


def run(options: Namespace) -> int:
    """List every registered component by kind, with one line each."""
    console = PlainConsole()
    for kind, registry in REGISTRIES.items():
        console.print(Text.assemble((kind, "bold"), f"   --model.{kind}=NAME"))
        width = max(map(len, registry.names()), default=0)
        for name, cls in registry:
            console.print(f"  {name:{width}}  {summary(cls)}")
        console.print()
    return 0
