"""Training on images: an image loss, and a discriminator that they have to convince."""

import lightning as L
from torch import Tensor

from data_pipelines.sources.encoding import StoredEncoding
from vosr.objectives import Adversary, ImageLoss, Loss
from vosr.training.adversary import DiscriminatorTraining
from vosr.training.base import TrainingModule


class ImageTrained(TrainingModule):
    """A module whose loss has terms on decoded images.

    Attributes:
        image_loss: compares images with what they should be; None where there is none.
        adversary: scores images; None where there is none.
        restored_pair: the last step's images and what they should be, in [0, 1], for the discriminator's own step.
    """

    image_loss: ImageLoss | None
    adversary: Adversary | None
    restored_pair: tuple[Tensor, Tensor]

    def configure_callbacks(self) -> list[L.Callback]:
        own = [] if self.adversary is None else [DiscriminatorTraining(self.adversary)]
        return [*super().configure_callbacks(), *own]

    def check_encoding(self, encoding: StoredEncoding) -> None:
        super().check_encoding(encoding)
        if not encoding.images and (self.image_loss is not None or self.adversary is not None):
            raise ValueError(
                "A loss compares images, and the latents lie there without; precompute them with --images=true."
            )

    def image_terms(self, restored: Tensor, hq: Tensor) -> list[Loss]:
        """Losses of images (B, C, H, W) near [0, 1] against what they should be."""
        parts = [] if self.image_loss is None else [self.image_loss(restored, hq)]
        if self.adversary is not None:
            self.restored_pair = restored.detach(), hq
            term = self.adversary.generator_term(restored, hq)
            weight = self.adversary.weight_at(self.global_step)
            parts.append(Loss(weight * term, {"adversarial": term.detach()}))
        return parts
