"""What the trainings of an autoencoder and of a light decoder share: images in, images out."""

from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from vosr.objectives import Adversary, ImageLoss, Loss
from vosr.training.base import paper_optimizer
from vosr.training.image_losses import ImageTrained
from vosr.training.parallel import Parallelism


class ReconstructionModule(ImageTrained):
    """Trains a network that gives images back; nothing is degraded.

    Args:
        image_loss: of the images that the network gives.
        adversary: discriminator that they have to convince; None for none.
        training_size: side of the training crops in pixels.
        optimizer: of what trains.
        lr_scheduler: stepped once per optimizer step.
        ema_decay: of the averaged weights that validate and are released.
        schedule_step: steps that the learning-rate schedule counts as done before this run.
        seed: of initial weights and of whatever a step draws.
        parallel: activation checkpointing, compilation and sharding.
    """

    def __init__(
        self,
        image_loss: ImageLoss,
        adversary: Adversary | None = None,
        training_size: int = 256,
        optimizer: OptimizerCallable = paper_optimizer,
        lr_scheduler: LRSchedulerCallable | None = None,
        ema_decay: float = 0.999,
        schedule_step: int = 0,
        seed: int = 0,
        parallel: Parallelism = Parallelism(),  # noqa: B008  (immutable)
    ) -> None:
        super().__init__(optimizer, lr_scheduler, ema_decay, seed, parallel)
        if schedule_step < 0:
            raise ValueError(f"schedule_step must not be negative, not {schedule_step}.")
        self.image_loss = image_loss
        self.adversary = adversary
        self.training_size = training_size
        self.schedule_step = schedule_step

    def frozen_parts(self) -> dict[str, nn.Module]:
        return {}

    def with_image_terms(self, image: Tensor, target: Tensor, others: list[Loss]) -> Loss:
        """The image's losses and ``others``, summed up; both images are (B, C, H, W) in [-1, 1]."""
        parts = [*self.image_terms((image + 1) / 2, (target + 1) / 2), *others]
        terms = {name: value for part in parts for name, value in part.terms.items()}
        return Loss(torch.stack([part.total for part in parts]).sum(), terms)

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Columns of the validation grid, from the averaged weights."""
        batch = self.prepared(batch, batch_idx)
        hq = batch.hq.float() / 255
        columns = self.columns(hq * 2 - 1)
        shown = {title: as_rgb(((image + 1) / 2).clamp(0, 1)) for title, image in columns.items()}
        return {**shown, "HQ": as_rgb(hq)}

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        return self.validation_step(batch, batch_idx)

    def columns(self, image: Tensor) -> dict[str, Tensor]:
        """Reconstructions of ``image`` in [-1, 1] by title."""
        raise NotImplementedError


def as_rgb(image: Tensor) -> Tensor:
    """Three channels to look at and to measure: the first three, or the first one three times."""
    return image[:, :3] if image.shape[1] >= 3 else image[:, :1].expand(-1, 3, -1, -1)
