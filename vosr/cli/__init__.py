"""The command line: training commands by LightningCLI, the others by typed functions."""

from vosr.cli.main import main

__all__ = ["main"]
