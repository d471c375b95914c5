"""Changes of colour: jitter and loss of colour."""

from dataclasses import dataclass

import kornia
import torch
from torch import Tensor

from vosr.degradations.base import Degradation, DegradationParams, check_images, to_8_bits
from vosr.degradations.checks import check_probability, check_range
from vosr.degradations.draws import Draws
from vosr.degradations.noise import luma


@dataclass(frozen=True)
class ColorJitterParams(DegradationParams):
    """Factors, and the turn of the hue in degrees, (B, 1, 1, 1) each."""

    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    hue: Tensor


class ColorJitter(Degradation):
    """Brightness, contrast, saturation and hue, in this order.

    Args:
        brightness: range of the factor on the image.
        contrast: range of the factor on the distance to the image's mean luma.
        saturation: range of the factor on the distance to each pixel's luma.
        hue: range of the turn in degrees.
    """

    def __init__(
        self,
        brightness: tuple[float, float] = (0.8, 1.2),
        contrast: tuple[float, float] = (0.8, 1.2),
        saturation: tuple[float, float] = (0.6, 1.4),
        hue: tuple[float, float] = (-10.0, 10.0),
    ) -> None:
        check_range("brightness", brightness)
        check_range("contrast", contrast)
        check_range("saturation", saturation)
        check_range("hue", hue)
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue

    def sample(self, batch_size: int, generator: torch.Generator | None = None) -> ColorJitterParams:
        draws = Draws(batch_size, generator)
        ranges = (self.brightness, self.contrast, self.saturation, self.hue)
        return ColorJitterParams(*(draws.uniform(*bounds).view(-1, 1, 1, 1) for bounds in ranges))

    def apply(self, hq: Tensor, params: ColorJitterParams) -> Tensor:  # type: ignore[override]
        check_images(hq)
        image = to_8_bits(hq)
        params = params.to(hq.device)
        image = (image * params.brightness).clamp(0, 1)
        mean = luma(image).mean(dim=(2, 3), keepdim=True)
        image = (mean + params.contrast * (image - mean)).clamp(0, 1)
        grey = luma(image)
        image = (grey + params.saturation * (image - grey)).clamp(0, 1)
        hsv = kornia.color.rgb_to_hsv(image)
        hsv[:, :1] += torch.deg2rad(params.hue)
        return to_8_bits(kornia.color.hsv_to_rgb(hsv))


@dataclass(frozen=True)
class GrayscaleParams(DegradationParams):
    """Whether the image loses its colour, (B,)."""

    grey: Tensor


class Grayscale(Degradation):
    """Conversion to grey: luma in all channels.

    Args:
        probability: of losing it, per image.
    """

    def __init__(self, probability: float = 1.0) -> None:
        check_probability("probability", probability)
        self.probability = probability

    def sample(self, batch_size: int, generator: torch.Generator | None = None) -> GrayscaleParams:
        return GrayscaleParams(Draws(batch_size, generator).happens(self.probability))

    def apply(self, hq: Tensor, params: GrayscaleParams) -> Tensor:  # type: ignore[override]
        check_images(hq)
        image = to_8_bits(hq)
        grey = params.grey.to(hq.device, non_blocking=True).view(-1, 1, 1, 1)
        return to_8_bits(torch.where(grey, luma(image), image))
