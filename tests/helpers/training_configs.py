"""Training configurations as the command line parses them, without building anything."""

from pathlib import Path

import pytest

from vosr.cli.names import expand_arguments
from vosr.cli.training import TrainingCLI

CONFIGS = Path(__file__).parents[2] / "configs"


class Parsed(Exception):
    """Ends the command line before anything is built."""


def parse(*arguments, cli_class=TrainingCLI, command="fit"):
    """The command line interface with the parsed configuration of a command, without building anything."""
    cli = cli_class.__new__(cli_class)

    def stop():
        raise Parsed

    cli.before_instantiate_classes = stop
    with pytest.raises(Parsed):
        cli_class.__init__(cli, expand_arguments([command, *arguments]))
    return cli
