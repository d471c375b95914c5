"""A discriminator on the features of a frozen network."""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from vosr.core.timm_features import TimmFeatures
from vosr.objectives.discriminators.base import Discriminator
from vosr.objectives.discriminators.patch import SLOPE


class ProjectedDiscriminator(Discriminator):
    """Small heads on the features of a frozen timm backbone (Sauer et al. 2021): it stays balanced where data are few.

    Args:
        model: any name of ``timm.list_models()`` that returns intermediate features.
        layers: indices of the feature levels, one head each; coarse ones leave marks at their stride.
        weights: file, folder or hub id; by default looked up and then downloaded.
        width: channels of the heads.
        pretrained: whether to load weights at all; false gives fixed random ones (for tests).

    Raises:
        ValueError: timm has no such model or level, or the weights do not fit.
        MissingWeightsError: no weights to be had.
    """

    def __init__(
        self,
        model: str = "vgg16",
        layers: tuple[int, ...] = (1, 2),
        weights: str | None = None,
        width: int = 64,
        pretrained: bool = True,
    ) -> None:
        super().__init__()
        self.features = TimmFeatures(model, layers, weights, pretrained)
        self.heads = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(channels, width, 1)),
                nn.LeakyReLU(SLOPE),
                spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
                nn.LeakyReLU(SLOPE),
                spectral_norm(nn.Conv2d(width, 1, 1)),
            )
            for channels in self.features.channels
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        levels = self.features(image)
        return [head(torch.nn.functional.normalize(level, dim=1)) for head, level in zip(self.heads, levels)]
