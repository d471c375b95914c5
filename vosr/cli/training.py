"""``fit``, ``validate``, ``test`` and ``predict``: LightningCLI with registered names and run folders."""

import importlib.util
import inspect
import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import set_loader
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

import data_pipelines
from data_pipelines import DataHealth, ShardDataModule
from vosr.checkpoints.find import spelled
from vosr.checkpoints.training_state import is_complete
from vosr.cli.differences import differences
from vosr.cli.errors import OneLineParser
from vosr.cli.guide import EVERYTHING
from vosr.cli.names import expand_config
from vosr.cli.values import load_yaml
from vosr.core.console import PlainConsole, labelled
from vosr.core.files.lock import locked
from vosr.planning.throughput import Throughput
from vosr.training import AutoencoderModule, DistillationModule, LightDecoderModule, TeacherModule
from vosr.training.base import TrainingModule
from vosr.training.batches import check_multiple
from vosr.training.callbacks import ImageGrid, ModelWriter, RunCheckpoint
from vosr.training.checkpoint_io import AtomicCheckpointIO
from vosr.training.claim import claim_run, give_up
from vosr.training.cpu_precision import slow_bfloat16
from vosr.training.due_validation import DueValidation
from vosr.training.flight_recorder import record_collectives
from vosr.training.launched import check_launch, check_tasks
from vosr.training.loss_spike import LossSpike
from vosr.training.non_finite import NonFinite
from vosr.training.preemption import Preemption
from vosr.training.progress import RunProgress
from vosr.training.run_folder import RunRecord, checkpoint_to_continue, newest_checkpoint, next_run
from vosr.training.validation_metrics import BestCheckpoint, ValidationMetrics

log = logging.getLogger(__name__)

PARSER_MODE = "vosr_yaml"
set_loader(PARSER_MODE, lambda text: expand_config(load_yaml(text)), exceptions=(yaml.YAMLError,))


class TrainingParser(OneLineParser, LightningArgumentParser):
    """LightningArgumentParser that answers errors in one line."""

    every_key = EVERYTHING

    def keys(self) -> set[str]:
        modules = (TeacherModule, DistillationModule, AutoencoderModule, LightDecoderModule, Trainer)
        names = {name for cls in modules for name in inspect.signature(cls).parameters}
        return super().keys() | names | {cls.__name__ for cls in modules} | set(data_pipelines.__all__)


class TrainingCLI(LightningCLI):
    """Command line of the LightningModules.

    Every ``fit`` makes a run folder ``<runs>/<name>/<number>``; ``--ckpt_path last`` continues from the newest
    checkpoint, and ``--ckpt_path auto`` does so if the last run has one and begins a new run if not.
    """

    run: Path

    def __init__(self, arguments: list[str]) -> None:
        self._held = ExitStack()
        try:
            super().__init__(
                TrainingModule,
                LightningDataModule,
                save_config_callback=RunRecord,
                seed_everything_default=0,
                parser_class=TrainingParser,
                parser_kwargs={"parser_mode": PARSER_MODE},
                subclass_mode_model=True,
                subclass_mode_data=True,
                args=arguments,
                auto_configure_optimizers=False,
                load_from_checkpoint_support=False,
            )
        finally:
            self._held.close()
            if hasattr(self, "run"):
                give_up(self.run)

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        return super().init_parser(**({"parser_mode": PARSER_MODE} | kwargs))

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--runs", type=Path, default=Path("runs"), help="Folder of all run folders.")
        parser.add_argument(
            "--name", type=str, default="run", help="Name of the run: a folder inside --runs."
        )
        parser.add_argument(
            "--flight_recorder",
            type=int,
            default=0,
            help="Collectives that every rank keeps, and leaves in the run folder at a timeout; 0: as torch does.",
        )
        parser.add_lightning_class_args(RunCheckpoint, "checkpoint")
        parser.add_lightning_class_args(NonFinite, "non_finite")
        parser.add_lightning_class_args(LossSpike, "loss_spike")
        parser.add_lightning_class_args(ValidationMetrics, "validation")
        parser.add_lightning_class_args(BestCheckpoint, "best")
        parser.set_defaults(
            {
                "checkpoint.save_last": False,
                "checkpoint.save_on_exception": True,
                "checkpoint.save_top_k": 2,
                "checkpoint.filename": "step_{step:07d}",
                "checkpoint.auto_insert_metric_name": False,
                "checkpoint.monitor": "step",
                "checkpoint.mode": "max",
                "checkpoint.every_n_train_steps": 200,
            }
        )

    def _parse_ckpt_path(self) -> None:
        """Our checkpoints hold no arguments of modules; Lightning would read all of one to look for them."""

    def before_instantiate_classes(self) -> None:
        config = self.config[self.subcommand]
        _check_devices(config.trainer.devices)
        check_tasks()
        _check_folder("trainer.default_root_dir", config.trainer.default_root_dir)
        _check_folder("checkpoint.dirpath", config.checkpoint.dirpath)
        _check_folder("non_finite.folder", config.non_finite.folder)
        if config.best.metric is not None and config.best.metric not in config.validation.metrics:
            config.validation.metrics = [*config.validation.metrics, config.best.metric]
        group = config.runs / config.name
        above = next(folder for folder in (group, *group.absolute().parents) if folder.exists())
        if not above.is_dir():
            raise ValueError(f"{above} is a file; give another folder by --runs or another --name.")
        fit_precision(config.trainer)
        if str(config.trainer.strategy).startswith("fsdp"):
            raise ValueError(
                f"trainer.strategy={config.trainer.strategy} would shard the frozen parts too; add --config "
                "configs/cluster/fsdp.yaml, which shards what is trained."
            )
        checkpoint = self._checkpoint(config, group)
        if checkpoint is not None:
            self.run = checkpoint.parent.parent
            self._print_differences(config)
        else:
            self.run = next_run(group) if config.trainer.get("fast_dev_run") else claim_run(group)
        record_collectives(self.run, config.flight_recorder)
        if self.subcommand == "fit" and self.run.is_dir() and getattr(rank_zero_only, "rank", 0) == 0:
            self._held.enter_context(locked(self.run))

    def _checkpoint(self, config: Any, group: Path) -> Path | None:
        """Set ``ckpt_path`` for Lightning; the checkpoint, where its run goes on.

        Raises:
            ValueError, FileNotFoundError: there is no such checkpoint.
        """
        given = config.get("ckpt_path")
        if given in ("last", "auto"):
            checkpoint = newest_checkpoint(group) if given == "last" else checkpoint_to_continue(group)
            config.ckpt_path = None if checkpoint is None else str(checkpoint)
            return checkpoint
        if given and not Path(given).exists():
            raise FileNotFoundError(
                f"No checkpoint {given}; give a .ckpt file or folder, 'last' to continue in {group}, or 'auto' to "
                "continue where there is something to continue."
            )
        if given and not is_complete(Path(given)):
            raise ValueError(f"{given} is no whole checkpoint of a training run; give another one.")
        return None

    def _print_differences(self, config: Any) -> None:
        """Name what the given configuration has otherwise than the run that it continues."""
        begun = self.run / "config.yaml"
        if not begun.is_file() or getattr(rank_zero_only, "rank", 0) != 0:
            return
        changed = differences(yaml.safe_load(begun.read_text()), config.as_dict())
        if changed:
            log.warning("The run goes on with other settings than it began with: %s.", "; ".join(changed))

    def instantiate_classes(self) -> None:
        super().instantiate_classes()
        with torch.device("meta"):  # sizes that do not fit are reported before anything is written
            backbone = self.model.build_backbone()
        if isinstance(self.datamodule, ShardDataModule):
            self.datamodule.crop_size = self.datamodule.crop_size or self.model.training_size
        multiple = self.model.multiple(backbone)
        check_multiple(getattr(self.datamodule, "crop_size", None) or multiple, multiple)
        if isinstance(self.datamodule, ShardDataModule) and getattr(rank_zero_only, "rank", 0) == 0:
            self.datamodule.check()  # likewise; other ranks read what rank 0 finds
            if self.datamodule.encoding is not None:
                self.model.check_encoding(self.datamodule.encoding)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        config = self._get(self.config_init, "trainer")
        if config.get("logger") in (None, True) and not config.get("fast_dev_run"):
            kwargs["logger"] = self._loggers()
        kwargs["default_root_dir"] = str(self.run)
        self._get(self.config_init, "checkpoint").dirpath = str(self.run / "checkpoints")
        self._get(self.config_init, "non_finite").folder = self.run
        self._get(self.config_init, "best").dirpath = str(self.run / "checkpoints" / "best")
        if not config.get("plugins"):
            kwargs["plugins"] = [AtomicCheckpointIO()]
        self.trainer_defaults["callbacks"] = [
            ImageGrid(self.run / "images"),
            ModelWriter(self.run / "model"),
            DataHealth(),
            DueValidation(),
            Preemption(self.run / "checkpoints"),
            Throughput(),
        ]
        given = config.get("callbacks") or []
        own_bar = any(isinstance(callback, ProgressBar) for callback in given)
        if config.get("enable_progress_bar") is not False and not own_bar:
            self.trainer_defaults["callbacks"].append(RunProgress())
        self.save_config_kwargs = {"run": self.run}
        trainer = super().instantiate_trainer(**kwargs)
        check_launch(trainer.num_devices, trainer.num_nodes)
        return trainer

    def _loggers(self) -> list[Logger]:
        loggers: list[Logger] = [CSVLogger(self.run, name="metrics")]
        if importlib.util.find_spec("tensorboard") is not None:
            loggers.append(TensorBoardLogger(self.run, name="tensorboard"))
        return loggers

    def after_validate(self) -> None:
        self._show_images()

    def after_test(self) -> None:
        self._show_images()

    def after_predict(self) -> None:
        self._show_images()

    def _show_images(self) -> None:
        if self.trainer.is_global_zero:
            PlainConsole().print(labelled("Images", 14, self.run / "images"))

    def after_fit(self) -> None:
        if getattr(self.trainer, "fast_dev_run", False) or self.trainer.interrupted:
            return
        last = self.run / "checkpoints" / "last.ckpt"
        self.trainer.save_checkpoint(last, weights_only=False)  # also between two intervals
        if not self.trainer.is_global_zero:
            return
        self._print_run(PlainConsole())

    def _print_run(self, console: PlainConsole) -> None:
        """Where everything is, and the commands that come next."""
        console.print(labelled("\nRun folder", 15, self.run))
        for part in ("config.yaml", "metrics", "images", "checkpoints", "model"):
            console.print(f"  {part:13} {self.run / part}")
        model = spelled(self.run)
        if self.model.shards is not None:  # its weights are in checkpoints
            console.print(labelled("First", 14, f"python main.py export --model {model} -o FOLDER"))
            model = "FOLDER"
        for label, command in self.model.next_commands(model).items():
            console.print(labelled(label, 14, command))


PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "32", "bf16", "16")
"""What training takes: weights and their average in float32, and Lightning's older names for that."""


def fit_precision(trainer: Any) -> None:
    """Refuse weights in half precision; replace mixed precision where the processor would be slower with it.

    Raises:
        ValueError: another precision than PRECISIONS.
    """
    if trainer.precision is not None and str(trainer.precision) not in PRECISIONS:
        raise ValueError(
            f"trainer.precision={trainer.precision} is none that training takes: steps of a small learning rate and "
            "the average would be rounded away in weights of half precision, and double precision gains nothing. Give "
            "bf16-mixed (float32 weights), 16-mixed or 32-true."
        )
    if trainer.precision == "bf16-mixed" and slow_bfloat16(trainer.accelerator):
        log.warning("This CPU has no bfloat16 arithmetic: training in 32-true instead of bf16-mixed.")
        trainer.precision = "32-true"


def _check_folder(option: str, given: Any) -> None:
    """Refuse folders that run folders take the place of, but for those that configs of version 0.1 recorded."""
    if given is None or any(name.isdecimal() for name in Path(given).parts[-2:]):
        return
    raise ValueError(
        f"{option} has no effect: everything of a run goes to <runs>/<name>/<number>. Give --runs {given} instead."
    )


def _check_devices(devices: Any) -> None:
    given = str(devices)
    if given.removeprefix("-").isdecimal() and int(given) < 1 and int(given) != -1:
        raise ValueError(f"trainer.devices must be at least 1, or -1 for all there are, not {devices}.")
