"""``components``: what can be swapped, by name, and what can be set on each."""

import difflib

from jsonargparse import ArgumentParser, Namespace
from rich.text import Text

from vosr.core.arguments import REQUIRED, arguments_of, description_of
from vosr.core.console import PlainConsole
from vosr.core.registry import REGISTRIES, UnknownNameError, class_path, summary

NESTED = {"discriminator": "--model.adversary.discriminator"}
"""Keys of components that are no arguments of the training module itself; others are ``--model.KIND``."""


def add_arguments(parser: ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "names", nargs="*", help="Components or kinds to describe in full; all by one line each if none."
    )


def run(options: Namespace) -> int:
    """List every registered component by kind, or describe some in full."""
    console = PlainConsole()
    if not options.names:
        for kind in REGISTRIES:
            _list(console, kind)
    for name in options.names:
        if name in REGISTRIES:
            _list(console, name)
            continue
        for kind in _kinds_of(name):
            print_component(kind, name)
    return 0


def print_component(kind: str, name: str) -> None:
    """Print what a component is, and its arguments as they are typed; without a name, all of the kind."""
    console = PlainConsole()
    if not name:
        _list(console, kind)
        return
    cls = REGISTRIES[kind].get(name)
    console.print(Text.assemble((f"{kind} {name}", "bold"), f"   {class_path(cls)}\n"))
    console.print(f"{description_of(cls)}\n")
    console.print(f"  {chosen(kind, name)}")
    for argument in arguments_of(cls):
        value = "VALUE" if argument.default is REQUIRED else argument.value
        key = f"{key_of(kind)}.{argument.name}={value}" if key_of(kind) else f"{argument.name}: {value}"
        console.print(f"  {key}   ({argument.type})")
        if argument.text:
            console.print(f"      {argument.text}")
    console.print()


def key_of(kind: str) -> str:
    """Key of a kind on the command line of ``fit``; empty where components are only listed by name."""
    return "" if kind == "metric" else NESTED.get(kind, f"--model.{kind}")


def chosen(kind: str, name: str) -> str:
    """How a component is chosen on the command line."""
    return f"{key_of(kind)}={name}" if key_of(kind) else f"--validation.metrics=[{name}]"


def _list(console: PlainConsole, kind: str) -> None:
    registry = REGISTRIES[kind]
    console.print(Text.assemble((kind, "bold"), f"   {chosen(kind, 'NAME')}"))
    width = max(map(len, registry.names()), default=0)
    for name, cls in registry:
        console.print(f"  {name:{width}}  {summary(cls)}")
    console.print()


def _kinds_of(name: str) -> list[str]:
    """Kinds that have a component of this name.

    Raises:
        UnknownNameError: there is none.
    """
    found = [kind for kind, registry in REGISTRIES.items() if name in registry.names()]
    if not found:
        known = sorted(
            {*REGISTRIES, *(each for registry in REGISTRIES.values() for each in registry.names())}
        )
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownNameError(f"No component {name!r}.{hint} python main.py components lists all.")
    return found
