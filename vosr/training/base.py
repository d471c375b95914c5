"""What teacher training and distillation share: frozen parts, degradation, EMA, validation, optimizer."""

import warnings
from abc import abstractmethod
from typing import Any

import lightning as L
import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torchmetrics.aggregation import RunningMean

from vosr.backbones import Backbone
from vosr.core.phases import Phases
from vosr.core.seeds import derive_seed, generator_for, noise_for
from vosr.core.types import Batch, Condition
from vosr.core.weights import empty_module
from vosr.degradations import Degradation
from vosr.guidance import Guidance
from vosr.guidance.base import ConditionDraw
from vosr.model import ModelCard, RestorationModel, Sampling
from vosr.model.conditioner import Conditioner
from vosr.objectives import Loss
from vosr.training.batches import as_batch, check_multiple
from vosr.training.ema import EMA
from vosr.training.guarded_step import gradient_norm, guard_step, parameters_of, without_fused
from vosr.training.parallel import Parallelism, load_weights, parallelise
from vosr.training.randomness import StepRandom

GRID_ROWS = 6
"""Images that a validation shows: the first of each rank."""


def paper_optimizer(parameters: Any) -> torch.optim.Optimizer:
    """AdamW of the paper (docs/method.md#recipe)."""
    return torch.optim.AdamW(parameters, lr=1e-4, betas=(0.9, 0.95), weight_decay=0.01, eps=1e-8, fused=True)


class RestorationModule(L.LightningModule):
    """Orchestration only; the mathematics is in the components.

    ``backbone`` trains, ``average`` is its exponential moving average and is what validates and is released.
    Frozen parts are neither in the optimizer nor in checkpoints. ``step_kept`` tells whether the optimizer
    changes the weights, perhaps as a tensor that only the device has read; ``gradient_norm`` is that of the step where
    a callback has measured it. ``schedule_step`` is the number of steps that the learning-rate schedule counts as
    done before this run: weights alone may come from another machine.
    """

    step_kept: Tensor | bool = True
    gradient_norm: Tensor | None = None
    schedule_step: int = 0

    conditioner: Conditioner
    degradation: Degradation
    backbone: Backbone
    average: Backbone
    card: ModelCard

    def __init__(
        self,
        guidance: Guidance,
        degradation: Degradation,
        sampling: Sampling,
        optimizer: OptimizerCallable,
        lr_scheduler: LRSchedulerCallable | None,
        ema_decay: float,
        seed: int,
        parallel: Parallelism,
    ) -> None:
        super().__init__()
        self.guidance = guidance
        object.__setattr__(self, "degradation", degradation)  # no submodule: its apply is not nn.Module's
        self.sampling = sampling
        self.optimizer = optimizer
        self.lr_scheduler = lr_scheduler
        self.ema_decay = ema_decay
        self.seed = seed
        self.lr: float | None = None  # Lightning's LearningRateFinder sets it; else the optimizer's own
        self.parallel = parallel
        self.phases = Phases()
        self._recent: dict[str, RunningMean] = {}
        self._validated = 0

    # -- building ---------------------------------------------------------------------------------------------

    @abstractmethod
    def build_backbone(self) -> Backbone:
        """A new trainable backbone; called twice, for the weights and for their average."""

    @abstractmethod
    def initialise(self, backbone: Backbone) -> None:
        """Give a fresh backbone the weights that training starts from; it may be sharded."""

    @property
    def shards(self) -> DeviceMesh | None:
        """What backbones are sharded over, in its last dimension; None where every rank has all of them."""
        return self.device_mesh

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

    def fresh_backbone(self, trained: bool = True) -> Backbone:
        """A backbone without meaningful weights, parallelised; where it is sharded no rank ever holds all of it."""
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
        scheduler = self.lr_scheduler(optimizer)
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

    def released(self) -> RestorationModel:
        """The model as it is validated and released: averaged weights."""
        return self.model_of(self.average)

    def model_of(self, backbone: Backbone) -> RestorationModel:
        """A restoration model around ``backbone`` that shares this module's frozen parts."""
        return RestorationModel(self.conditioner, backbone, self.guidance, self.sampling, self.card)

    # -- steps ------------------------------------------------------------------------------------------------

    @abstractmethod
    def objective_loss(self, hq: Tensor, data: Tensor, condition: Condition, random: StepRandom) -> Loss:
        """Loss of one batch of clean images in [0, 1], their latents and the LQ conditions."""

    def prepared(self, batch: Any, batch_idx: int) -> Batch:
        """The batch of anybody's data module as ours; random numbers belong to its keys.

        Raises:
            ValueError: it holds no images, or of a size that does not fit the model.
        """
        ours = as_batch(batch, f"{self.global_rank}-{batch_idx}")
        for side in ours.hq.shape[-2:]:
            check_multiple(side, self.conditioner.autoencoder.factor * self.backbone.patch_size)
        return ours

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        batch = self.prepared(batch, batch_idx)
        random = StepRandom(self.seed, self.global_step, batch.key, self.device)
        hq = batch.hq.float() / 255
        with self.phases("degradation"), torch.no_grad():
            lq = self.degraded(batch, hq, random)
        with self.phases("encode"):
            data, condition = self.encoded(hq, lq, random)
        loss = self.objective_loss(hq, data, condition, random)
        terms = {f"loss/{name}": value for name, value in loss.terms.items()}
        means = self.recent_means({"loss": loss.total.detach(), **terms})
        self.log("loss", means.pop("loss"), prog_bar=True, batch_size=len(hq))
        self.log_dict(means, batch_size=len(hq))
        return loss.total

    def encoded(self, hq: Tensor, lq: Tensor, random: StepRandom) -> tuple[Tensor, Condition]:
        """Latents of the clean images and the condition that the degraded ones give."""
        posterior = random.samples("hq posterior") + random.samples("lq posterior")
        return self.conditioner.encode_pair(hq, lq, posterior)

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

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Restore one batch; degradation and noise are fixed by the image's key, whatever the batch or rank."""
        batch = self.prepared(batch, batch_idx)
        hq = batch.hq.float() / 255
        lq = self.validation_input(batch, hq)
        restored = self.restore(self.released(), lq, batch.key)
        shown = max(0, GRID_ROWS - self._validated)
        self._validated += len(hq)
        extra = self.extra_images(lq[:shown], batch.key[:shown]) if shown else {}
        return {"LQ": lq, self.card.kind: restored, **extra, "HQ": hq}

    def test_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        return self.validation_step(batch, batch_idx)

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        batch = self.prepared(batch, batch_idx)
        hq = batch.hq.float() / 255
        lq = self.validation_input(batch, hq)
        return {"LQ": lq, self.card.kind: self.restore(self.released(), lq, batch.key)}

    def extra_images(self, lq: Tensor, keys: list[str]) -> dict[str, Tensor]:
        """More columns of the validation grid, by title, for the images that it shows."""
        return {}

    def restore(self, model: RestorationModel, lq: Tensor, keys: list[str]) -> Tensor:
        """Restore a validation batch with noise fixed by the keys."""
        shape = model.latent_shape(*lq.shape[-2:])
        return model.restore(lq, noise_for([derive_seed("noise", key) for key in keys], shape, lq.device))

    def degraded(self, batch: Batch, hq: Tensor, random: StepRandom) -> Tensor:
        """The batch's own LQ, or a fresh degradation of the HQ; 8-bit steps need full precision."""
        if batch.lq is not None:
            return batch.lq.float() / 255
        with torch.autocast(hq.device.type, enabled=False):
            params = self.degradation.sample_each(random.samples("degradation", "cpu"))
            return self.degradation.apply(hq, params)

    def validation_input(self, batch: Batch, hq: Tensor) -> Tensor:
        """LQ of a validation batch, each image degraded by its key alone."""
        if batch.lq is not None:
            return batch.lq.float() / 255
        with torch.autocast(hq.device.type, enabled=False):
            images = zip(hq.split(1), batch.key)
            return torch.cat([self.degradation(one, generator_for("validation", key)) for one, key in images])

    def mixed_condition(self, condition: Condition, random: StepRandom) -> tuple[Condition, ConditionDraw]:
        """Training condition of a batch, each sample full or partial, and the numbers that were drawn for it."""
        strength = self.guidance.draw_strength(random.shared("weak strength"))
        draw = random.draw(
            "condition", lambda one, stream: self.guidance.draw(one, stream, strength), condition.latent
        )
        return self.guidance.mix(condition, draw), draw
