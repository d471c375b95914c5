"""Interface of an autoencoder: pixels <-> latents."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from vosr.core.registry import Component
from vosr.core.types import RandomSource


class Autoencoder(Component, nn.Module, ABC):
    """Frozen map between images and normalised latents.

    Attributes:
        latent_channels: C.
        image_channels: of the images; restoration takes RGB.
        factor: pixels per latent cell along each axis (h = H / factor).
        context: latent cells from a border within which a piece cut out of an image comes out clearly different than
            inside the whole; 0 where cells are independent. Tiles overlap by three times as many.
        working_bytes: memory per pixel that encoding or decoding takes at its peak, in float32.
    """

    latent_channels: int
    image_channels: int = 3
    factor: int
    context: int = 8
    working_bytes: int = 4000

    @abstractmethod
    def encode(self, image: Tensor, sample: bool = False, generator: RandomSource | None = None) -> Tensor:
        """Latents of ``image``.

        Args:
            image: (B, 3, H, W) in [-1, 1]; H and W multiples of ``factor``.
            sample: draw from the posterior (training) instead of taking its mode (inference).
            generator: source of the posterior draw; a sequence has one stream for each image.

        Returns:
            Normalised latents, (B, C, H / factor, W / factor), about unit variance.
        """

    @abstractmethod
    def decode(self, latent: Tensor) -> Tensor:
        """Image (B, 3, h * factor, w * factor), about [-1, 1] and not clamped, of normalised latents."""
