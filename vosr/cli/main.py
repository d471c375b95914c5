"""Choice of the command, and what every command does with errors."""

import importlib
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table

from vosr.cli.errors import INTERRUPTED, OneLineParser, explain, fail
from vosr.core.console import PlainConsole
from vosr.core.files.shown import shown

TRAINING = {
    "fit": "Train a teacher or distil a student, as the config says.",
    "validate": "Measure a checkpoint on the validation images.",
    "test": "Measure a checkpoint on the test images.",
    "predict": "Restore the prediction images of a data module.",
}
NOISE = (  # remarks of libraries that no user of ours can act on
    ".*args parameter is intended to run from within Python.*",
    ".*isinstance.treespec, LeafSpec.* is deprecated.*",
    ".*in eval mode at the start of training.*",
    ".*does not have many workers.*",
    ".*is smaller than the logging interval.*",
    "Mismatch dtype between input and weight.*",  # norms keep float32 gains under half precision
    ".*is not supported by the model summary.*",
    "The dirpath has changed from.*",  # a run of its own for each command
)
PLAN = {
    "plan": "Predict what a training run costs: operations, memory, communication, days.",
    "precompute": "Write the latents and tokens that a training run would compute, for many runs.",
}
OTHERS = {
    "restore": ("vosr.cli.restore", "Restore photographs: files or whole folders."),
    "video": ("vosr.cli.video", "Restore a film, image by image; its sound is kept."),
    "evaluate": (
        "vosr.cli.evaluate",
        "Measure models, baselines and other tools' results on benchmarks; write a report.",
    ),
    "ablate": ("vosr.cli.ablate", "Train the variants of a grid and compare them on benchmarks."),
    "demo": ("vosr.cli.demo", "Serve a page that restores photographs, for browsers and scripts."),
    "models": ("vosr.cli.models", "List the models there are, what they need and where it lies."),
    "download": ("vosr.cli.download", "Fetch a released or published model with all it needs."),
    "export": (
        "vosr.cli.export",
        "Write a run's averaged weights as a model folder, ours or the released layout.",
    ),
    "shards": ("vosr.cli.shards", "Pack images into WebDataset shards, leaving out what is unfit."),
    "degrade": ("vosr.cli.degrade", "Show what a degradation does to a photograph, draw by draw."),
    "components": ("vosr.cli.components", "List every registered component by kind."),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status.

    User errors (wrong names, paths, values) end with one sentence on standard error and status 2.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help", "--version"):
        _overview(arguments)
        return 0
    command, rest = arguments[0], arguments[1:]
    for noise in NOISE:
        warnings.filterwarnings("ignore", message=noise)
    try:
        if command in TRAINING | PLAN:
            if _helped(command, rest):
                return 0
            rest = _checked(rest)
        if command in TRAINING:
            return _train([command, *rest])
        if command in PLAN:
            return _plan(command, rest)
        if command in OTHERS:
            show_log(logging.WARNING)
            with _ended_by_sigterm():
                return _call(command, rest)
    except KeyboardInterrupt:
        fail("Interrupted.", INTERRUPTED)
    except (ValueError, OSError) as error:
        fail(explain(" ".join(_message(error).split()), set()))
    fail(_unknown(command))


def _train(arguments: list[str]) -> int:
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    show_log()
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    from vosr.cli.names import expand_arguments
    from vosr.cli.training import TrainingCLI

    try:
        TrainingCLI(expand_arguments(arguments))
    except MisconfigurationException as error:  # such as an accelerator that this machine does not have
        raise ValueError(str(error)) from error
    return 0


def _message(error: Exception) -> str:
    """Message of an error, without the number that the operating system has for it."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}."
    return str(error)


def _helped(command: str, arguments: list[str]) -> bool:
    """Whether the first page of help or ``--model.KIND.help=NAME`` was asked for, which is then printed."""
    from vosr.cli.components import print_component
    from vosr.cli.guide import asked_component, show_guide

    if {"-h", "--help"} & set(arguments):
        show_guide(command, (TRAINING | PLAN)[command])
        return True
    asked = asked_component(arguments)
    if asked is not None:
        print_component(*asked)
    return asked is not None


def _checked(arguments: list[str]) -> list[str]:
    """Arguments whose config files can be read, with the parser's own word for the list of all keys."""
    from vosr.cli.configs import check_configs, named_configs
    from vosr.cli.guide import EVERYTHING, show_module_keys

    arguments = named_configs(arguments)
    check_configs(arguments)
    if EVERYTHING in arguments:
        show_module_keys()
    return ["--help" if argument == EVERYTHING else argument for argument in arguments]


def _plan(command: str, arguments: list[str]) -> int:
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.fabric.utilities.seed"):
        logging.getLogger(name).setLevel(logging.WARNING)
    module = importlib.import_module(f"vosr.cli.{command}")
    return int(module.run(arguments))


def show_log(level: int = logging.INFO) -> None:
    """Show what our own packages log, one line each: above the progress bar on a terminal, else on standard error."""
    if level == logging.INFO and sys.stdout.isatty():
        handler: logging.Handler = RichHandler(show_time=False, show_level=False, show_path=False)
    else:
        handler = logging.StreamHandler()
    handler.setFormatter(_Shown("%(message)s"))
    for name in ("vosr", "data_pipelines"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        if level < logging.WARNING:  # warnings come by themselves
            logger.setLevel(level)


class _Shown(logging.Formatter):
    """Names of files in messages move no cursor."""

    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record))


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does, with the status 143 of its own.

    Also where a script that started the command with & has SIGINT ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        received.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except SystemExit as error:  # commands say themselves how far they came
        if received and error.code == INTERRUPTED:
            sys.exit(128 + signal.SIGTERM)
        raise
    except KeyboardInterrupt:
        fail("Interrupted.", 128 + (signal.SIGTERM if received else signal.SIGINT))
    finally:
        signal.signal(signal.SIGTERM, before)


def _call(command: str, arguments: list[str]) -> int:
    module_name, description = OTHERS[command]
    module = importlib.import_module(module_name)
    from vosr.cli.names import expand_arguments
    from vosr.cli.values import OPTIONS_MODE

    parser = OneLineParser(prog=f"main.py {command}", description=description, parser_mode=OPTIONS_MODE)
    module.add_arguments(parser)
    named = command != "evaluate"  # whose --autoencoder takes folders too, and opens all by itself
    parsed = parser.parse_args(expand_arguments(arguments) if named else arguments)
    return int(module.run(parser.instantiate_classes(parsed)))


def _unknown(command: str) -> str:
    import difflib

    commands = [*TRAINING, *PLAN, *OTHERS]
    near = difflib.get_close_matches(command, commands, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"Unknown command {command!r}.{hint} Commands: {', '.join(commands)}."


def _overview(arguments: list[str]) -> None:
    if arguments[:1] == ["--version"]:
        PlainConsole().print(f"vosr {version('vosr')}")
        return
    console = Console()
    console.print("Train, distil and run vision-only generative image restoration.\n")
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, description in (TRAINING | PLAN).items():
        table.add_row(f"  [bold]{name}[/]", description)
    for name, (_, description) in OTHERS.items():
        table.add_row(f"  [bold]{name}[/]", description)
    console.print(table)
    console.print("\npython main.py COMMAND --help lists the options of a command.")
    console.print("Start here: python main.py fit --config configs/distill.yaml")
