"""Teacher training: a multi-step flow-matching model from scratch (docs/method.md#flow-matching)."""

from pathlib import Path

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor

from vosr.autoencoders import Autoencoder
from vosr.backbones import Backbone, BackboneFactory
from vosr.core.options import ColorFix
from vosr.core.registry import describe
from vosr.core.types import Condition
from vosr.core.weights import empty_module
from vosr.degradations import Degradation
from vosr.encoders import Encoder
from vosr.flow import per_sample
from vosr.guidance import Guidance
from vosr.model import ModelCard, Sampling
from vosr.model.conditioner import Conditioner
from vosr.objectives import ImageLoss, Loss, TeacherObjective
from vosr.training.base import paper_optimizer
from vosr.training.image_losses import ImageTrained
from vosr.training.initial_weights import initial_weights
from vosr.training.parallel import Parallelism, load_weights, reset_weights
from vosr.training.randomness import StepRandom
from vosr.training.restoration import RestorationModule


class TeacherModule(ImageTrained, RestorationModule):
    """Trains a multi-step teacher from scratch, or finetunes one.

    Args:
        autoencoder: pixels <-> latents, frozen.
        encoder: LQ -> semantic tokens, frozen.
        backbone: velocity model; its latent and semantic widths come from the two above.
        guidance: mixing of full and partial conditions.
        objective: training objective.
        degradation: HQ -> LQ, on the batch's device.
        sampling: sampling in validation and default of the released model.
        training_size: side of the training crops in pixels, for the restorer.
        color_fix: colour correction that suits the model.
        optimizer: of the backbone.
        lr_scheduler: stepped once per optimizer step.
        ema_decay: of the averaged weights that validate and are released.
        init_from: model folder or run whose weights training starts from.
        schedule_step: steps that the learning-rate schedule counts as done before this run, for weights that come from
            an earlier piece of the same training without its checkpoint.
        seed: of initial weights, degradations, times and noise.
        parallel: activation checkpointing, compilation and sharding of the backbones.
        trust_remote_code: whether the model of init_from may name classes by dotted paths, which are imported.
        image_loss: added on the clean image that the velocity predicts; none by default, as in the paper.
        image_until: largest time at which it counts, in (0, 1]: pixel-space models add errors of features where there
            is little noise (PixelGen).
    """

    def __init__(
        self,
        autoencoder: Autoencoder,
        encoder: Encoder,
        backbone: BackboneFactory,
        guidance: Guidance,
        objective: TeacherObjective,
        degradation: Degradation,
        sampling: Sampling = Sampling(),  # noqa: B008  (immutable)
        training_size: int = 512,
        color_fix: ColorFix = "adain",
        optimizer: OptimizerCallable = paper_optimizer,
        lr_scheduler: LRSchedulerCallable | None = None,
        ema_decay: float = 0.9999,
        init_from: str | Path | None = None,
        schedule_step: int = 0,
        seed: int = 0,
        parallel: Parallelism = Parallelism(),  # noqa: B008  (immutable)
        trust_remote_code: bool = False,
        image_loss: ImageLoss | None = None,
        image_until: float = 1.0,
    ) -> None:
        super().__init__(guidance, degradation, sampling, optimizer, lr_scheduler, ema_decay, seed, parallel)
        if not 0 < image_until <= 1:
            raise ValueError(f"image_until must be in (0, 1], not {image_until}.")
        if schedule_step < 0:
            raise ValueError(f"schedule_step must not be negative, not {schedule_step}.")
        self.schedule_step = schedule_step
        self.conditioner = Conditioner(autoencoder, encoder)
        self.backbone_factory = backbone
        self.objective = objective
        self.image_loss = image_loss
        self.adversary = None
        self.image_until = image_until
        self.card = ModelCard(
            "teacher",
            training_size,
            degradation.scale,
            color_fix,
            describe(degradation),
            self.conditioner.fingerprints(),
        )
        self.initial = (
            None
            if init_from is None
            else initial_weights(init_from, empty_module(self.build_backbone), trust_remote_code)
        )

    def build_backbone(self) -> Backbone:
        return self.backbone_factory(
            self.conditioner.autoencoder.latent_channels, self.conditioner.encoder.dim
        )

    def initialise(self, backbone: Backbone) -> None:
        if self.initial is None:
            reset_weights(backbone, self.seed)
            return
        load_weights(backbone, self.initial)  # they fit: initial_weights has seen to it
        self.initial = None  # gigabytes that nobody needs any more

    def objective_loss(self, hq: Tensor, data: Tensor, condition: Condition, random: StepRandom) -> Loss:
        mixed, _ = self.mixed_condition(condition, random)
        draw = random.draw("flow", self.objective.draw, data)
        clean = data

        def velocity(z: Tensor, t: Tensor) -> Tensor:
            nonlocal clean
            predicted = self.backbone.velocity(z, t, mixed)
            clean = z - per_sample(t, z) * predicted
            return predicted

        loss = self.objective.loss(velocity, data, draw)
        if self.image_loss is None:
            return loss
        # one sample at least, so that all ranks log the same terms
        counted = draw.t <= draw.t.min().clamp_min(self.image_until)
        image = self.image_loss((self.conditioner.autoencoder.decode(clean[counted]) + 1) / 2, hq[counted])
        share = counted.float().mean()
        return Loss(loss.total + share * image.total, loss.terms | image.terms)
