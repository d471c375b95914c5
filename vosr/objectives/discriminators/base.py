"""Interface of a discriminator: which patches of an image look real."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from vosr.core.registry import Component


class Discriminator(Component, nn.Module, ABC):
    """Scores the patches of images; trained beside the model, never released with it."""

    @abstractmethod
    def forward(self, image: Tensor) -> list[Tensor]:
        """Maps of logits, (B, 1, h, w) each, high where ``image`` (B, 3, H, W), near [0, 1], looks real."""
