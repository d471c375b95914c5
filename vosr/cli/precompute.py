"""``precompute``: latents and tokens of a finite data set, once instead of in every training."""

import json
from collections.abc import Iterator
from contextlib import closing
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.cli import LightningArgumentParser
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from data_pipelines import ShardDataModule
from data_pipelines.loader import TrainLoader
from data_pipelines.shards.packer import JOURNAL_NAME, Journal, JournalEntry, Packer
from data_pipelines.sources.encoding import StoredEncoding
from data_pipelines.sources.index import INDEX_NAME, write_index
from vosr.cli.names import expand_arguments
from vosr.cli.training import TrainingCLI, fit_precision
from vosr.core.console import PlainConsole
from vosr.core.files.lock import locked
from vosr.core.types import EncodedBatch
from vosr.training.restoration import RestorationModule

StoredType = Literal["float32", "bfloat16", "float16"]
MAX_SAMPLES = 10_000
"""Of a shard."""


class PrecomputeCLI(TrainingCLI):
    """Reads a training command as ``fit`` does; the trainer only says where and in which precision to compute."""

    model: RestorationModule
    datamodule: ShardDataModule

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        super().add_arguments_to_parser(parser)
        parser.add_argument(
            "-o", "--output", type=Path, required=True, help="Folder of the shards, for data.train."
        )
        parser.add_argument(
            "--variants", type=int, default=1, help="Crops and degradations of each image, on average."
        )
        parser.add_argument(
            "--dtype",
            type=StoredType | None,
            default=None,
            help="What latents and tokens are stored in; as they are computed, if not given.",
        )
        parser.add_argument(
            "--images", type=bool, default=False, help="Keep the clean crops too, which image losses need."
        )
        parser.add_argument("--max_megabytes", type=float, default=500, help="Size of a shard.")

    def before_instantiate_classes(self) -> None:
        """There is no run folder."""
        config = self.config[self.subcommand]
        if config.variants < 1 or config.max_megabytes <= 0:
            raise ValueError("variants must be at least 1 and max_megabytes above 0.")
        fit_precision(config.trainer)

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        given = self._get(self.config, "trainer")
        return L.Trainer(
            accelerator=given.accelerator,
            precision=given.precision,
            accumulate_grad_batches=given.accumulate_grad_batches,
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
        )

    def _run_subcommand(self, subcommand: str) -> None:
        """Nothing is trained."""


def run(arguments: list[str]) -> int:
    """Write what ``fit`` with these arguments would train on; status 0 when all is there."""
    cli = PrecomputeCLI(expand_arguments(["fit", *arguments]))
    config = cli.config.fit
    if not isinstance(cli.model, RestorationModule) or not isinstance(cli.datamodule, ShardDataModule):
        raise ValueError(
            "precompute takes the config of a teacher or a distillation, with ShardDataModule as data."
        )
    precompute(
        cli.model, cli.datamodule, cli.trainer, config.output, config.variants, config.dtype, config.images,
        config.max_megabytes,
    )  # fmt: skip
    PlainConsole().print(f"Next: python main.py fit --config CONFIG --data.train={config.output}")
    return 0


def precompute(
    module: RestorationModule,
    data: ShardDataModule,
    trainer: L.Trainer,
    folder: Path,
    variants: int = 1,
    dtype: StoredType | None = None,
    images: bool = False,
    max_megabytes: float = 500,
) -> None:
    """Encode the first batches of a training and write them as shards; goes on where it was interrupted.

    Crops, turns, degradations and posterior samples are those that ``fit`` draws for the same positions, with the same
    seeds and as many images per optimizer step.

    Args:
        module: teacher or distillation.
        data: what it trains on.
        trainer: says device, precision and accumulated batches.
        folder: of the shards.
        variants: passes over the images.
        dtype: what latents and tokens are stored in; None stores them as they are computed.
        images: keep the clean crops.
        max_megabytes: size of a shard in 10^6 bytes, exceeded by one batch at most.

    Raises:
        ValueError: the data are precomputed already, or ``folder`` holds something else.
    """
    if data.encoding is not None:
        raise ValueError("data.train holds latents already; give images.")
    data.crop_size = data.crop_size or module.training_size
    data.trainer = trainer
    data.prepare_data()
    loader = data.train_dataloader()
    made_by = module.encoding_records() | ({"degradation": None} if data.fields.lq is not None else {})
    settings = {
        "made_by": made_by, "crop_size": data.crop_size, "images": images, "dtype": dtype,
        "precision": str(trainer.precision), "seeds": [module.seed, data.seed], "batches": variants * len(loader),
        "batch_size": loader.plan.batch_size, "sources": [s.fingerprint for s in loader.plan.sources],
    }  # fmt: skip
    settings = json.loads(json.dumps(settings))
    if (folder / INDEX_NAME).exists():
        _check_finished(folder, settings)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        journal = Journal(folder, settings)
        packer = Packer(folder, MAX_SAMPLES, max_megabytes, len(journal.shards))
        columns = (TextColumn("Encoding"), BarColumn(), MofNCompleteColumn(), TextColumn("batches"),
                   TimeElapsedColumn(), TimeRemainingColumn())  # fmt: skip
        total, done = variants * len(loader), journal.inputs
        with closing(loader), Progress(*columns) as progress:
            task = progress.add_task("", total=total, completed=done)
            for batch in _encoded(module, data, trainer, loader, done, total):
                encoding = StoredEncoding.of(batch, made_by, images)
                if done == 0:
                    encoding.write(folder)
                for i, members in enumerate(encoding.members(batch, dtype and getattr(torch, dtype))):
                    packer.add(f"{done * len(batch.key) + i:09d}", members, 0)
                done += 1
                progress.update(task, completed=done)
                if packer.full or done == total:
                    journal.add(JournalEntry(done, packer.finish()))
        write_index(folder, journal.shards, encoded=settings)
        (folder / JOURNAL_NAME).unlink()


def _encoded(
    module: RestorationModule,
    data: ShardDataModule,
    trainer: L.Trainer,
    loader: TrainLoader,
    done: int,
    total: int,
) -> Iterator[EncodedBatch]:
    """Batches ``done`` to ``total`` of a training, encoded where and as precisely as the trainer says."""
    device = trainer.strategy.root_device
    module.to(device).train()
    loader.start_at(done * loader.plan.batch_size)
    batches = chain.from_iterable(repeat(loader))
    for number in range(done, total):
        batch = data.on_after_batch_transfer(next(batches).to(device), 0)
        with trainer.precision_plugin.forward_context():
            yield module.encoded(batch, number // trainer.accumulate_grad_batches)


def _check_finished(folder: Path, settings: dict[str, Any]) -> None:
    content = json.loads((folder / INDEX_NAME).read_text())
    if content.get("encoded") != settings:
        raise ValueError(
            f"{folder} holds shards of other data, models or options; choose another folder, or delete it."
        )
