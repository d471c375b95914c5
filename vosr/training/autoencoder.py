"""Training of a convolutional autoencoder from scratch (docs/autoencoders.md)."""

from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from vosr.autoencoders import KLAutoencoder
from vosr.autoencoders.diffusers_vae import DIFFUSERS_FILES
from vosr.autoencoders.kl import sizes_of
from vosr.autoencoders.posterior import kl_divergence
from vosr.autoencoders.spatial_map import SpatialMap
from vosr.objectives import ImageLoss, Loss
from vosr.training.latent_statistics import LatentStatistics
from vosr.training.parallel import load_weights, reset_weights
from vosr.training.randomness import StepRandom
from vosr.training.reconstruction import ReconstructionModule


class AutoencoderModule(ReconstructionModule):
    """Trains a convolutional KL autoencoder, from scratch or from the weights of one.

    Further arguments are those of :class:`ReconstructionModule`.

    Args:
        autoencoder: sizes of what is trained; with ``weights``, training starts from them.
        image_loss: of the reconstruction.
        kl_weight: of the divergence of the posterior from a standard normal distribution, in nats per latent value.
        equivariance: share of the steps in which the latent is reduced and turned, and the image reduced and turned in
            the same way has to come out (EQ-VAE, arXiv 2502.09509).
        statistics_images: training crops of each rank that the latents' mean and deviation are measured over.

    Raises:
        ValueError: a negative weight, a share outside [0, 1], or an autoencoder with a light decoder.
    """

    kind = "autoencoder"

    def __init__(
        self,
        autoencoder: KLAutoencoder,
        image_loss: ImageLoss,
        kl_weight: float = 1e-4,
        equivariance: float = 0.0,
        statistics_images: int = 512,
        **shared: Any,
    ) -> None:
        super().__init__(image_loss=image_loss, **shared)
        if kl_weight < 0 or not 0 <= equivariance <= 1:
            raise ValueError(
                f"kl_weight must not be negative and equivariance in [0, 1], not {kl_weight} and {equivariance}."
            )
        if autoencoder.light is not None:
            raise ValueError("An autoencoder trains with its own decoder; leave its light_decoder out.")
        self.kl_weight = kl_weight
        self.equivariance = equivariance
        self.statistics_images = statistics_images
        self.image_channels = autoencoder.image_channels
        self.initial = None if autoencoder.init_args["weights"] is None else autoencoder.state_dict()
        self.sizes = sizes_of(autoencoder.config)

    def build_backbone(self) -> KLAutoencoder:
        return KLAutoencoder(**self.sizes)

    def initialise(self, backbone: nn.Module) -> None:
        if self.initial is None:
            reset_weights(backbone, self.seed)
            return
        load_weights(backbone, self.initial)
        self.initial = None

    def multiple(self, backbone: nn.Module) -> int:
        assert isinstance(backbone, KLAutoencoder)
        return backbone.factor

    def configure_callbacks(self) -> list[L.Callback]:
        return [*super().configure_callbacks(), LatentStatistics(self.statistics_images)]

    def frozen_pass(self, hq: Tensor, lq: Tensor, random: StepRandom) -> None:
        """Nothing is frozen."""

    def loss_of(self, hq: Tensor, frozen: None, random: StepRandom) -> Loss:
        image = hq * 2 - 1
        spatial_map = self.drawn_map(random)
        reconstruction, moments = self.backbone(image, random.samples("posterior"), spatial_map)
        target = image if spatial_map is None else spatial_map(image, self.backbone.factor)
        divergence = kl_divergence(moments)
        kl = Loss(self.kl_weight * divergence, {"kl": divergence.detach()})
        return self.with_image_terms(reconstruction, target, [kl])

    def drawn_map(self, random: StepRandom) -> SpatialMap | None:
        """The step's map, which all ranks share; None in the other steps."""
        stream = random.shared("spatial map")
        drawn = self.equivariance > float(torch.rand((), generator=stream))
        return SpatialMap.drawn(stream) if drawn else None

    def columns(self, image: Tensor) -> dict[str, Tensor]:
        return {self.kind: self.average(image)[0]}

    def save_release(self, folder: Path, weights: bool = True) -> None:
        if weights:
            self.average.save(folder)
        else:
            self.average.save_config(folder)
            (folder / DIFFUSERS_FILES[0]).unlink(missing_ok=True)  # of an unsharded beginning

    def next_commands(self, run: str) -> dict[str, str]:
        use = f"--model.autoencoder=kl --model.autoencoder.weights={run}"
        return {
            "Next": f"python main.py evaluate --autoencoder {run}",
            "a light one": f"python main.py fit --config configs/light_decoder.yaml {use}",
            "a teacher": f"python main.py fit --config configs/teacher.yaml --model.backbone.pixel_factor=0 {use}",
        }
