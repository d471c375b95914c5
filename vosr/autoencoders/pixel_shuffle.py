"""Pixel unshuffling as an autoencoder: lossless, no weights, no block structure."""

import torch
from torch import Tensor
from torch.nn import functional as F

from vosr.autoencoders.base import Autoencoder
from vosr.core.types import RandomSource

# Mean and std of R, G and B of images in [-1, 1]. Over every fifth tile of examples/photographs they are (-0.10, -0.11,
# -0.14) and (0.56, 0.52, 0.56); these were chosen before that was measured, and shipped weights depend on them. Every
# sub-pixel position has the same statistics, so three numbers serve all latent channels.
_MEAN = (-0.09, -0.10, -0.19)
_STD = (0.50, 0.47, 0.52)


class PixelShuffleAutoencoder(Autoencoder):
    """Pixels rearranged to a coarser grid (pixel unshuffle) and standardised: lossless, no download.

    Latent channel ``c * factor^2 + i * factor + j`` holds colour c of the pixel at row i, column j of each cell, as in
    :func:`torch.nn.functional.pixel_unshuffle`. ``decode(encode(x))`` is ``x`` up to rounding, and an error of a latent
    is the error of one pixel times a constant: there are no blocks that could show. There is no posterior: ``sample``
    changes nothing. Always computed in float32, under autocast too.

    Args:
        factor: side of a cell in pixels, h = H / factor; C = 3 * factor^2.

    Raises:
        ValueError: a factor below 1.
    """

    context = 0
    working_bytes = 48
    mean: Tensor
    std: Tensor

    def __init__(self, factor: int = 4) -> None:
        super().__init__()
        if factor < 1:
            raise ValueError(f"factor must be at least 1, not {factor}.")
        self.factor = factor
        self.latent_channels = 3 * factor**2
        for name, values in (("mean", _MEAN), ("std", _STD)):
            channels = torch.tensor(values).repeat_interleave(factor**2).view(-1, 1, 1)
            self.register_buffer(name, channels, persistent=False)

    def encode(self, image: Tensor, sample: bool = False, generator: RandomSource | None = None) -> Tensor:
        return (F.pixel_unshuffle(image.float(), self.factor) - self.mean) / self.std

    def decode(self, latent: Tensor) -> Tensor:
        return F.pixel_shuffle(latent.float() * self.std + self.mean, self.factor)
