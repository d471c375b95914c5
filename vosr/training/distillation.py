"""One-step distillation of a trained teacher (docs/method.md#distillation)."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor

from vosr.backbones import BACKBONES, Backbone
from vosr.checkpoints import load_model
from vosr.core.frozen import FrozenModule
from vosr.core.registry import describe, rebuild
from vosr.core.types import Condition, VelocityFn
from vosr.core.weights import empty_module
from vosr.degradations import Degradation
from vosr.guidance import Guidance
from vosr.guidance.base import ConditionDraw
from vosr.model import ModelCard, RestorationModel, Sampling
from vosr.objectives import Adversary, DistillationObjective, ImageLoss, Loss
from vosr.training.base import paper_optimizer
from vosr.training.image_losses import ImageTrained
from vosr.training.initial_weights import initial_weights
from vosr.training.parallel import Parallelism, load_weights, parallelise, reset_weights
from vosr.training.randomness import StepRandom
from vosr.training.restoration import RestorationModule

log = logging.getLogger(__name__)


class FrozenTeacher(FrozenModule):
    """Holds the teacher's backbone out of training."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.freeze()


class DistillationModule(ImageTrained, RestorationModule):
    """Distils a teacher into a one-step student of the same architecture.

    Args:
        teacher: model folder, run folder or shipped name of the teacher; brings autoencoder and encoder with it.
        guidance: target of the distillation is the teacher's velocity under this guidance.
        objective: distillation objective.
        objective_weight: of the distillation objective; 0 leaves it out and trains on images alone (an ablation).
        image_loss: added on the decoded one-step image; none by default, as in the paper.
        adversary: discriminator that the decoded one-step image has to convince; none by default, as in the paper.
        init_from: model folder, run folder or shipped name of the student that training starts from; by default the
            teacher's weights.
        degradation: HQ -> LQ, on the batch's device; by default the teacher's, as its card has it.
        sampling: of the student.
        optimizer: of the student.
        lr_scheduler: stepped once per optimizer step.
        ema_decay: of the averaged weights that validate and are released.
        teacher_dtype: type that the frozen teacher's weights are held in. "bfloat16" halves them; matrix products are
            those of "bf16-mixed", which it needs, and norms and tables are rounded too.
        teacher_steps: steps of the teacher in the validation images.
        schedule_step: steps that the learning-rate schedule counts as done before this run, for weights that come from
            an earlier piece of the same training without its checkpoint.
        seed: of initial weights, degradations, times and noise.
        parallel: activation checkpointing, compilation and sharding of the backbones.
        light_decoder: file, folder or run of a light decoder that the student decodes with, in training and later.
        trust_remote_code: whether the teacher's folder may name classes by dotted paths, which are imported.
    """

    def __init__(
        self,
        teacher: str | Path,
        guidance: Guidance,
        objective: DistillationObjective,
        degradation: Degradation | None = None,
        objective_weight: float = 1.0,
        image_loss: ImageLoss | None = None,
        adversary: Adversary | None = None,
        init_from: str | Path | None = None,
        sampling: Sampling = Sampling(steps=1),  # noqa: B008  (immutable)
        optimizer: OptimizerCallable = paper_optimizer,
        lr_scheduler: LRSchedulerCallable | None = None,
        ema_decay: float = 0.9999,
        teacher_dtype: Literal["float32", "bfloat16"] = "float32",
        teacher_steps: int = 25,
        schedule_step: int = 0,
        seed: int = 0,
        parallel: Parallelism = Parallelism(),  # noqa: B008  (immutable)
        light_decoder: str | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        if schedule_step < 0:
            raise ValueError(f"schedule_step must not be negative, not {schedule_step}.")
        # mapped files stay mapped until configure_model
        loaded = load_model(teacher, None, trust_remote_code=trust_remote_code, light_decoder=light_decoder)
        if loaded.card.kind != "teacher":
            raise ValueError(
                f"{teacher} is a {loaded.card.kind}; model.teacher must be a multi-step teacher."
            )
        if degradation is None:
            degradation = _degradation_of(loaded.card, trust_remote_code)
        elif degradation.scale != loaded.card.scale:
            log.warning(
                "The teacher was trained for an enlargement of %d, and the student's degradation is of %d; leave "
                "model.degradation out to take the teacher's.",
                loaded.card.scale,
                degradation.scale,
            )
        super().__init__(guidance, degradation, sampling, optimizer, lr_scheduler, ema_decay, seed, parallel)
        self.schedule_step = schedule_step
        self.conditioner = loaded.conditioner
        self.teacher = FrozenTeacher(loaded.backbone)
        self.teacher_dtype = getattr(torch, teacher_dtype)
        self.objective = objective
        if objective_weight < 0 or (objective_weight == 0 and image_loss is None):
            raise ValueError("objective_weight must be positive, or 0 with an image_loss to train on.")
        self.objective_weight = objective_weight
        self.image_loss = image_loss
        self.adversary = adversary
        self.teacher_card = loaded.card
        self.card = replace(
            loaded.card,
            kind="student",
            scale=degradation.scale,
            degradation=describe(degradation),
            frozen=self.conditioner.fingerprints(),
        )
        self.teacher_sampling = replace(loaded.sampling, steps=teacher_steps)
        self._teacher_images: dict[str, Tensor] = {}
        self.initial = (
            None
            if init_from is None
            else initial_weights(init_from, empty_module(self.build_backbone), trust_remote_code)
        )

    def configure_model(self) -> None:
        """See the base class.

        Raises:
            ValueError: the teacher is to be held in bfloat16, and operations are not to run in it.
        """
        if getattr(self, "backbone", None) is not None:
            return
        precision = str(self.trainer.precision) if self._trainer is not None else None
        if self.teacher_dtype != torch.float32 and precision not in (None, "bf16-mixed"):
            raise ValueError(
                f"model.teacher_dtype=bfloat16 needs --trainer.precision=bf16-mixed, not {precision}."
            )
        parallelise(self.teacher.backbone, self.parallel, self.shards)
        self.teacher.to(torch.get_default_dtype())
        super().configure_model()
        self.teacher.to(self.teacher_dtype)  # the student starts from what was not rounded

    def build_backbone(self) -> Backbone:
        teacher = self.teacher.backbone
        return BACKBONES.build(
            BACKBONES.name_of(teacher.built_as), **(teacher.init_args | {"end_time": True})
        )

    def initialise(self, backbone: Backbone) -> None:
        """Start as the teacher: only the end-time embedder is new, and it has no effect at r = t."""
        if self.initial is not None:
            load_weights(backbone, self.initial)  # they fit: initial_weights has seen to it
            self.initial = None
            return
        reset_weights(backbone, self.seed)
        missing, unexpected = load_weights(backbone, self.teacher.backbone.state_dict())
        new = [key for key in missing if not key.startswith("r_embedder.")]
        if new or unexpected:
            raise ValueError(
                f"Teacher weights do not fit the student: missing {new}, unexpected {unexpected}."
            )

    def objective_loss(self, hq: Tensor, data: Tensor, condition: Condition, random: StepRandom) -> Loss:
        parts: list[Loss] = []
        if self.objective_weight:
            distilled = self.distillation_loss(data, condition, random)
            parts.append(Loss(self.objective_weight * distilled.total, distilled.terms))
        if self.image_loss is not None or self.adversary is not None:
            parts += self.image_terms(self.one_step_image(data, condition, random), hq)
        terms = {name: value for part in parts for name, value in part.terms.items()}
        return Loss(torch.stack([part.total for part in parts]).sum(), terms)

    def distillation_loss(self, data: Tensor, condition: Condition, random: StepRandom) -> Loss:
        """The distillation objective on a batch of clean latents."""
        mixed, draw = self.mixed_condition(condition, random)
        prepared = self.backbone.prepared(mixed)
        return self.objective.loss(
            student=lambda z, t, r: self.backbone.velocity(z, t, prepared.repeat(len(z) // len(data)), r),
            teacher=self.guided_teacher(condition, draw),
            data=data,
            draw=random.draw("flow", self.objective.draw, data),
        )

    def one_step_image(self, data: Tensor, condition: Condition, random: StepRandom) -> Tensor:
        """What the student restores in one step from its starting noise, (B, 3, H, W), near [0, 1]."""
        noise = self.sampling.temperature * random.draw("picture", self.objective.draw, data).noise
        start, end = data.new_ones(len(data)), data.new_zeros(len(data))
        latent = noise - self.backbone.velocity(noise, start, condition, end)
        return (self.conditioner.autoencoder.decode(latent) + 1) / 2

    @torch.no_grad()
    def guided_teacher(self, condition: Condition, draw: ConditionDraw) -> VelocityFn:
        """The target: full branch on the augmented LQ latent as the student's, partial branch on the clean one."""
        teacher = self.teacher.backbone
        partial = None if self.guidance.scale == 1 else self.guidance.partial_condition(condition)
        full = teacher.prepared(self.guidance.augment(condition, draw))
        partial = None if partial is None else teacher.prepared(partial)
        return lambda z, t: self.guidance.velocity(teacher.velocity, z, t, full, partial)

    def teacher_model(self) -> RestorationModel:
        """The teacher under this run's guidance, on this module's frozen parts."""
        return RestorationModel(
            self.conditioner, self.teacher.backbone, self.guidance, self.teacher_sampling, self.teacher_card
        )

    def extra_images(self, lq: Tensor, keys: list[str]) -> dict[str, Tensor]:
        """The teacher's results, computed once per image: teacher, degradation and noise never change."""
        new = [i for i, key in enumerate(keys) if key not in self._teacher_images]
        if new:
            restored = self.restore(self.teacher_model(), lq[new], [keys[i] for i in new])
            self._teacher_images |= {keys[i]: image for i, image in zip(new, restored.cpu())}
        return {"teacher": torch.stack([self._teacher_images[key] for key in keys]).to(lq.device)}


def _degradation_of(card: ModelCard, trust_remote_code: bool) -> Degradation:
    """The degradation that a teacher was trained with; cards of version 0.1 only say the enlargement."""
    record = card.degradation or {"name": "real_esrgan", "args": {"scale": card.scale}}
    degradation: Degradation = rebuild("degradation", record, trust_remote_code)
    return degradation
