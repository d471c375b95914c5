"""What teacher training and distillation share: frozen parts, degradation, validation."""

import json
from abc import abstractmethod
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from data_pipelines.sources.encoding import StoredEncoding
from vosr.backbones import Backbone
from vosr.checkpoints import save_model
from vosr.checkpoints.model_folder import WEIGHTS, names_code, save_record
from vosr.core.registry import describe
from vosr.core.seeds import derive_seed, generator_for, noise_for
from vosr.core.types import Batch, Condition, EncodedBatch
from vosr.degradations import Degradation
from vosr.guidance import Guidance
from vosr.guidance.base import ConditionDraw
from vosr.model import ModelCard, RestorationModel, Sampling
from vosr.model.conditioner import Conditioner
from vosr.objectives import Loss
from vosr.training.base import TrainingModule
from vosr.training.parallel import Parallelism
from vosr.training.randomness import StepRandom


class RestorationModule(TrainingModule):
    """Trains the backbone of a restoration model."""

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
        super().__init__(optimizer, lr_scheduler, ema_decay, seed, parallel)
        self.guidance = guidance
        object.__setattr__(self, "degradation", degradation)  # no submodule: its apply is not nn.Module's
        self.sampling = sampling

    @property
    def kind(self) -> str:  # type: ignore[override]
        return self.card.kind

    @property
    def training_size(self) -> int:  # type: ignore[override]
        return self.card.training_size

    def multiple(self, backbone: nn.Module) -> int:
        assert isinstance(backbone, Backbone)
        return self.conditioner.autoencoder.factor * backbone.patch_size

    def frozen_parts(self) -> dict[str, nn.Module]:
        return {"autoencoder": self.conditioner.autoencoder, "encoder": self.conditioner.encoder}

    def released(self) -> RestorationModel:
        """The model as it is validated and released: averaged weights."""
        return self.model_of(self.average)

    def model_of(self, backbone: Backbone) -> RestorationModel:
        """A restoration model around ``backbone`` that shares this module's frozen parts."""
        return RestorationModel(self.conditioner, backbone, self.guidance, self.sampling, self.card)

    def save_release(self, folder: Path, weights: bool = True) -> None:
        if weights:
            save_model(self.released(), folder)
        else:
            save_record(self.released(), folder)
            (folder / WEIGHTS).unlink(missing_ok=True)  # of an unsharded beginning

    def names_code(self) -> bool:
        return names_code(self.released())

    def next_commands(self, run: str) -> dict[str, str]:
        code = " --trust_remote_code" if self.names_code() else ""
        commands = {"Next": f"python main.py restore PHOTO -o restored --model {run}{code}"}
        if self.kind == "teacher":
            code = " --model.trust_remote_code=true" if code else ""
            own = "--model.degradation=null --data.crop_size=null"  # the teacher's
            commands["or distil it"] = (
                f"python main.py fit --config configs/distill.yaml --model.teacher {run}{code} {own}"
            )
        return commands

    # -- steps ------------------------------------------------------------------------------------------------

    @abstractmethod
    def objective_loss(self, hq: Tensor, data: Tensor, condition: Condition, random: StepRandom) -> Loss:
        """Loss of one batch of clean images in [0, 1], their latents and the LQ conditions."""

    def frozen_pass(self, hq: Tensor, lq: Tensor, random: StepRandom) -> tuple[Tensor, Condition]:
        """Latents of the clean images and the condition that the degraded ones give."""
        posterior = random.samples("hq posterior") + random.samples("lq posterior")
        return self.conditioner.encode_pair(hq, lq, posterior)

    def frozen_inputs(self, batch: Batch, hq: Tensor, random: StepRandom) -> tuple[Tensor, Condition]:
        if not isinstance(batch, EncodedBatch):
            return super().frozen_inputs(batch, hq, random)
        if torch.is_autocast_enabled(hq.device.type):
            return batch.latent, batch.condition
        return batch.latent.float(), Condition(batch.condition.latent.float(), batch.condition.tokens.float())

    @torch.no_grad()
    def encoded(self, batch: Batch, step: int) -> EncodedBatch:
        """What :meth:`frozen_inputs` makes of a batch of clean images in an optimizer step."""
        random = StepRandom(self.seed, step, batch.key, self.device)
        latent, condition = super().frozen_inputs(batch, batch.hq.float() / 255, random)
        return EncodedBatch(batch.hq, None, batch.key, latent, condition)

    def encoding_records(self) -> dict[str, Any]:
        """Records of what decides latents and tokens of a training batch, by part."""
        return self.conditioner.encoding_records() | {"degradation": describe(self.degradation)}

    def check_encoding(self, encoding: StoredEncoding) -> None:
        for part, own in self.encoding_records().items():
            if encoding.made_by[part] not in (json.loads(json.dumps(own)), None):
                raise ValueError(
                    f"The latents were made with another {part} than this model's; precompute them again with this "
                    "config, or give data.train the images."
                )

    def loss_of(self, hq: Tensor, frozen: tuple[Tensor, Condition], random: StepRandom) -> Loss:
        return self.objective_loss(hq, *frozen, random)

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Restore one batch; degradation and noise are fixed by the image's key, whatever the batch or rank."""
        batch = self.prepared(batch, batch_idx)
        hq = batch.hq.float() / 255
        lq = self.validation_input(batch, hq)
        restored = self.restore(self.released(), lq, batch.key)
        shown = self.count_shown(len(hq))
        extra = self.extra_images(lq[:shown], batch.key[:shown]) if shown else {}
        return {"LQ": lq, self.kind: restored, **extra, "HQ": hq}

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        batch = self.prepared(batch, batch_idx)
        hq = batch.hq.float() / 255
        lq = self.validation_input(batch, hq)
        return {"LQ": lq, self.kind: self.restore(self.released(), lq, batch.key)}

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
