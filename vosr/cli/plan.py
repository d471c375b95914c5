"""``plan``: what a training run costs, before it is started."""

import tempfile
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.cli import LightningArgumentParser

from vosr.checkpoints.find import local_folder
from vosr.checkpoints.model_folder import save_record
from vosr.cli.names import expand_arguments
from vosr.cli.plan_job import job_of
from vosr.cli.plan_report import report
from vosr.cli.training import TrainingCLI
from vosr.core.console import PlainConsole
from vosr.planning import DEVICES, Planner, advise, find_device
from vosr.training.base import TrainingModule
from vosr.training.restoration import RestorationModule


class PlanCLI(TrainingCLI):
    """Reads a training command as ``fit`` does and builds the module alone, on the meta device."""

    model: TrainingModule

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        super().add_arguments_to_parser(parser)
        parser.add_argument("--nodes", type=int | None, help="Hosts; trainer.num_nodes if not given.")
        parser.add_argument(
            "--devices", type=int | None, help="Accelerators per host; trainer.devices if not given."
        )
        parser.add_argument("--device", type=str, default="h100", help=f"One of {', '.join(DEVICES)}.")
        parser.add_argument(
            "--utilisation", type=float, default=0.4, help="Share of the device's peak that is reached."
        )
        parser.add_argument(
            "--teacher_config",
            type=Path | None,
            help="Training config of a teacher that does not exist yet; teacher.yaml beside the config, if not given.",
        )

    def before_instantiate_classes(self) -> None:
        """A plan has no run folder."""

    def instantiate_classes(self) -> None:
        config = self.config[self.subcommand]
        with tempfile.TemporaryDirectory() as folder:
            described = _missing_teacher(config)
            if described is not None:
                _describe(described, Path(folder))
                config.model.init_args.teacher = folder
                config.model.init_args.trust_remote_code = True  # a record of the user's own config
            with torch.device("meta"):
                self.model = self._get(self.parser.instantiate_classes(self.config), "model")

    def _run_subcommand(self, subcommand: str) -> None:
        """Nothing is trained."""


def run(arguments: list[str]) -> int:
    """Print the plan of ``fit`` with these arguments; status 0, whether it fits or not."""
    cli = PlanCLI(expand_arguments(["fit", *arguments]))
    config = cli.config.fit
    job, device = job_of(config, cli.model.training_size), find_device(config.device)
    planner = Planner(cli.model, config.utilisation)
    plan = planner.plan(job, device)
    report(PlainConsole(), planner, plan, config.device, advise(planner, plan))
    return 0


def _missing_teacher(config: Any) -> Path | None:
    """Training config that stands for the teacher of a distillation, where there is no such model yet.

    Raises:
        FileNotFoundError: nor is there a config.
    """
    teacher = config.model.init_args.get("teacher")
    if teacher is None or (config.teacher_config is None and local_folder(str(teacher)) is not None):
        return None
    beside = Path(str(config.config[0])).parent / "teacher.yaml" if config.config else Path("teacher.yaml")
    described = config.teacher_config or beside
    if not described.is_file():
        raise FileNotFoundError(
            f"No teacher at {teacher}, and no config of one at {described}; give it by --teacher_config."
        )
    return Path(described)


def _describe(config: Path, folder: Path) -> None:
    """Write the record of the model that a teacher's training config would give."""
    module = PlanCLI(["fit", "--config", str(config)]).model
    assert isinstance(module, RestorationModule)
    with torch.device("meta"):
        save_record(module.model_of(module.build_backbone()), folder)
