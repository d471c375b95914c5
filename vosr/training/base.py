"""What every training shares: a network and its average, optimizer, checkpoints, steps and their logs."""

import warnings
from abc import abstractmethod
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torchmetrics.aggregation import RunningMean

from data_pipelines.sources.encoding import StoredEncoding
from vosr.core.phases import Phases
from vosr.core.types import Batch
from vosr.core.weights import empty_module
from vosr.objectives import Loss
from vosr.training.batches import as_batch, check_channels, check_multiple
from vosr.training.ema import EMA
from vosr.training.guarded_step import gradient_norm, guard_step, parameters_of, without_fused
from vosr.training.parallel import Parallelism, load_weights, parallelise
from vosr.training.randomness import StepRandom
from vosr.training.schedule import attach, follow

GRID_ROWS = 6
"""Images that a validation shows: the first of each rank."""


def paper_optimizer(parameters: Any) -> torch.optim.Optimizer:
    """AdamW of the paper (docs/method.md#recipe)."""
    return torch.optim.AdamW(parameters, lr=1e-4, betas=(0.9, 0.95), weight_decay=0.01, eps=1e-8, fused=True)


class TrainingModule(L.LightningModule):
    """Base of all training modules: orchestration only, the mathematics is in the components.

    ``backbone`` is the network that trains, ``average`` its exponential moving average, which validates and is
    released. Frozen parts are neither in the optimizer nor in checkpoints. ``step_kept`` is whether the optimizer
    changes the weights, perhaps as a tensor that only the device has read; ``gradient_norm`` is that of the step where
    a callback has measured it. ``schedule_step`` is the number of steps that the learning-rate schedule counts as
    done before this run: weights alone may come from another machine.

    Attributes:
        kind: what is trained, which is also the title of its column in validation images.
        training_size: side of the training crops in pixels.
        image_channels: of the images.
    """

    step_kept: Tensor | bool = True
    gradient_norm: Tensor | None = None
    schedule_step: int = 0

    kind: str
    training_size: int
    image_channels: int = 3
    backbone: Any
    average: Any

    def __init__(
        self,
        optimizer: OptimizerCallable,
        lr_scheduler: LRSchedulerCallable | None,
        ema_decay: float,
        seed: int,
        parallel: Parallelism,
    ) -> None:
        super().__init__()
        self.optimizer = optimizer
        self.lr_scheduler = lr_scheduler
        self.ema_decay = ema_decay
        self.seed = seed
        self._lr: float | None = None
        self.parallel = parallel
        self.phases = Phases()
        self._recent: dict[str, RunningMean] = {}
        self._validated = 0

    @property
    def lr(self) -> float | None:
        """Learning rate that Lightning's LearningRateFinder has found; None where the optimizer has its own."""
        return self._lr

    @lr.setter
    def lr(self, rate: float) -> None:
        self._lr = rate
        for config in self.trainer.lr_scheduler_configs if self._trainer is not None else []:
            follow(config.scheduler, rate)

    # -- what is trained --------------------------------------------------------------------------------------

    @abstractmethod
    def build_backbone(self) -> Any:
        """A new trainable network; called twice, for the weights and for their average."""

    @abstractmethod
    def initialise(self, backbone: Any) -> None:
        """Give a fresh network the weights that training starts from; it may be sharded."""

    @abstractmethod
    def multiple(self, backbone: nn.Module) -> int:
        """Height and width of training crops are multiples of this."""

    @abstractmethod
    def frozen_parts(self) -> dict[str, nn.Module]:
        """Parts that every rank holds whole and that do not train, by name."""

    @abstractmethod
    def frozen_pass(self, hq: Tensor, lq: Tensor, random: StepRandom) -> Any:
        """What the frozen parts make of a batch of images in [0, 1], without gradient."""

    @abstractmethod
    def loss_of(self, hq: Tensor, frozen: Any, random: StepRandom) -> Loss:
        """Loss of a batch of clean images in [0, 1] and what :meth:`frozen_pass` made of it."""

    @abstractmethod
    def save_release(self, folder: Path, weights: bool = True) -> None:
        """Write the averaged model to ``folder``, or all but its weights."""

    def names_code(self) -> bool:
        """Whether what :meth:`save_release` writes takes trust to be opened."""
        return False

    @abstractmethod
    def next_commands(self, run: str) -> dict[str, str]:
        """Commands that come after this training, by what they do; ``run`` is how its folder is spelled."""

    # -- building ---------------------------------------------------------------------------------------------

    @property
    def shards(self) -> DeviceMesh | None:
        """What backbones are sharded over (see :func:`parallelise`); None where every rank has all of them."""
        mesh = self.device_mesh
        lightnings = mesh is not None and "data_parallel" in (mesh.mesh_dim_names or ())
        return mesh["data_parallel"] if mesh is not None and lightnings else mesh

    def configure_model(self) -> None:
        """Make the trainable parts where Lightning wants them: on the right device, or on meta and then sharded.

        Raises:
            ValueError: weights are to travel in bfloat16, and operations are not to run in it.
        """
        if getattr(self, "backbone", None) is not None:
            return
        precision = str(self.trainer.precision) if self.shards is not None else None
        if self.parallel.gather == "bfloat16" and precision not in (None, "bf16-mixed"):
            raise ValueError(
                f"model.parallel.gather=bfloat16 needs --trainer.precision=bf16-mixed, not {precision}."
            )
        backbone, average = self.fresh_backbone(), self.fresh_backbone(trained=False)
        self.initialise(backbone)
        load_weights(average, backbone.state_dict())
        self.backbone, self.average = backbone, average

    def fresh_backbone(self, trained: bool = True) -> Any:
        """A network without meaningful weights, parallelised; where it is sharded no rank ever holds all of it."""
        if self.shards is None:
            backbone = self.build_backbone()
            backbone.requires_grad_(trained)
            parallelise(backbone, self.parallel, None)
            return backbone
        backbone = empty_module(self.build_backbone)
        backbone.requires_grad_(trained)
        parallelise(backbone, self.parallel, self.shards)
        backbone.to_empty(device=self.device)
        return backbone

    def configure_callbacks(self) -> list[L.Callback]:
        return [EMA(self.ema_decay)]

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.backbone.parameters())
        for group in optimizer.param_groups if self.lr is not None else []:
            group["lr"] = self.lr
        if self.trainer.precision == "16-mixed":
            without_fused(optimizer)
        if self.lr_scheduler is None:
            return optimizer
        rate = optimizer.param_groups[0]["lr"]
        scheduler = self.lr_scheduler(optimizer)
        attach(scheduler, rate, self.trainer, self.schedule_step)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # torch expects optimizer steps between; another machine made them
            for _ in range(self.schedule_step):
                scheduler.step()
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip by norm, with the norm that a callback measured if one did; Lightning clips by value."""
        norm, kept = self.gradient_norm, self.step_kept
        self.gradient_norm = None
        if gradient_clip_algorithm == "value" and gradient_clip_val:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
            gradient_clip_val = None
        clip = gradient_clip_val or None
        if clip is None and norm is None:
            return
        guard_step(optimizer, clip, gradient_norm(parameters_of(optimizer)) if norm is None else norm, kept)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Trained weights and their average; frozen parts stay out of checkpoints."""
        state = super().state_dict(*args, **kwargs)
        return {k: v for k, v in state.items() if k.startswith(("backbone.", "average."))}

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Strict on the trained weights; the frozen parts are not expected.

        Raises:
            ValueError: a weight has another shape, as with another width.
        """
        own = self.state_dict()
        for name in (
            name for name in own if name in state_dict and own[name].shape != state_dict[name].shape
        ):
            raise ValueError(
                f"The checkpoint's {name} is {tuple(state_dict[name].shape)}, this model's {tuple(own[name].shape)}: "
                "continue with the model of the run's own config.yaml."
            )
        result = super().load_state_dict(state_dict, strict=False, assign=assign)
        missing = [k for k in result.missing_keys if k.startswith(("backbone.", "average."))]
        if strict and (missing or result.unexpected_keys):
            raise RuntimeError(
                f"Checkpoint does not fit this model: missing {missing[:3]}, unexpected {result.unexpected_keys[:3]}."
            )
        return result

    # -- steps ------------------------------------------------------------------------------------------------

    def prepared(self, batch: Any, batch_idx: int) -> Batch:
        """The batch of anybody's data module as ours; random numbers belong to its keys.

        Raises:
            ValueError: it holds no images, or of a size or number of channels that does not fit the model.
        """
        ours = as_batch(batch, f"{self.global_rank}-{batch_idx}")
        check_channels(ours.hq, self.image_channels)
        for side in ours.hq.shape[-2:]:
            check_multiple(side, self.multiple(self.backbone))
        return ours

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        batch = self.prepared(batch, batch_idx)
        random = StepRandom(self.seed, self.global_step, batch.key, self.device)
        hq = batch.hq.float() / 255
        frozen = self.frozen_inputs(batch, hq, random)
        loss = self.loss_of(hq, frozen, random)
        terms = {f"loss/{name}": value for name, value in loss.terms.items()}
        means = self.recent_means({"loss": loss.total.detach(), **terms})
        self.log("loss", means.pop("loss"), prog_bar=True, batch_size=len(hq))
        self.log_dict(means, batch_size=len(hq))
        return loss.total

    def frozen_inputs(self, batch: Batch, hq: Tensor, random: StepRandom) -> Any:
        """Degrade a batch and encode it."""
        with self.phases("degradation"), torch.no_grad():
            lq = self.degraded(batch, hq, random)
        with self.phases("encode"):
            return self.frozen_pass(hq, lq, random)

    def on_train_start(self) -> None:
        encoding = getattr(self.trainer.train_dataloader, "encoding", None)
        if encoding is not None:
            self.check_encoding(encoding)

    def check_encoding(self, encoding: StoredEncoding) -> None:
        """Refuse latents and tokens of ``precompute`` that are not what :meth:`frozen_inputs` would give.

        Raises:
            ValueError: with what differs.
        """
        raise ValueError(
            "This model trains on images; give data.train images instead of precomputed latents."
        )

    def degraded(self, batch: Batch, hq: Tensor, random: StepRandom) -> Tensor:
        """The low-quality images of a training batch; the clean ones where nothing is restored."""
        return hq

    def recent_means(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """Means over the logging interval: single batches of few images differ more than training changes them."""
        for name, value in values.items():
            if name not in self._recent:
                window = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
                self._recent[name] = RunningMean(window, sync_on_compute=False).to(value.device)
            self._recent[name].update(value)
        return {name: self._recent[name].compute() for name in values}

    def on_validation_epoch_start(self) -> None:
        self._validated = 0

    def on_test_epoch_start(self) -> None:
        self._validated = 0

    def count_shown(self, images: int) -> int:
        """How many of a validation batch's images the grid shows."""
        shown = max(0, GRID_ROWS - self._validated)
        self._validated += images
        return min(shown, images)

    def test_step(self, batch: Any, batch_idx: int) -> Any:
        return self.validation_step(batch, batch_idx)
