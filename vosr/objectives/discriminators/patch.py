"""A convolutional patch discriminator on pixels."""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from vosr.objectives.discriminators.base import Discriminator

SLOPE = 0.2


class PatchDiscriminator(Discriminator):
    """Spectrally normalised convolutions with one logit per patch (Isola et al. 2017, Miyato et al. 2018).

    Args:
        width: channels of the first layer; doubled at every reduction, at most eightfold.
        reductions: times that the grid is halved; a logit then sees about 3 * 2^(reductions + 1) pixels.
        channels: of the images.

    Raises:
        ValueError: no width, or a negative count.
    """

    def __init__(self, width: int = 32, reductions: int = 2, channels: int = 3) -> None:
        super().__init__()
        if width < 1 or reductions < 0:
            raise ValueError(
                f"width must be positive and reductions not negative, not {width} and {reductions}."
            )
        self.image_channels = channels
        layers: list[nn.Module] = [
            spectral_norm(nn.Conv2d(channels, width, 3, padding=1)),
            nn.LeakyReLU(SLOPE),
        ]
        channels = width
        for level in range(reductions):
            wider = width * min(2 ** (level + 1), 8)
            layers += [
                spectral_norm(nn.Conv2d(channels, wider, 4, stride=2, padding=1)),
                nn.LeakyReLU(SLOPE),
                spectral_norm(nn.Conv2d(wider, wider, 3, padding=1)),
                nn.LeakyReLU(SLOPE),
            ]
            channels = wider
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(channels, 1, 3, padding=1)))

    def forward(self, image: Tensor) -> list[Tensor]:
        if image.shape[1] != self.image_channels:
            raise ValueError(
                f"The discriminator takes images of {self.image_channels} channels, not {image.shape[1]}: "
                "set its channels."
            )
        return [self.layers(image * 2 - 1)]
