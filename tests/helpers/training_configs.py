"""Training configurations as the command line parses them, without building anything."""

from pathlib import Path

import pytest

from vosr.cli.names import expand_arguments
from vosr.cli.training import TrainingCLI

CONFIGS = Path(__file__).parents[2] / "configs"


class Parsed(Exception):
    """Ends the command line before anything is built."""


def parse(*arguments):
    """The parsed configuration of a fit, without building anything."""
    cli = TrainingCLI.__new__(TrainingCLI)

    def stop():
        raise Parsed

    cli.before_instantiate_classes = stop
    with pytest.raises(Parsed):
        TrainingCLI.__init__(cli, expand_arguments(["fit", *arguments]))
    return cli
