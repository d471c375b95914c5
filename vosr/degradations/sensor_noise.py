"""Signal-dependent noise: Poisson and speckle."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vosr.degradations.base import Degradation, DegradationParams, check_images, to_8_bits
from vosr.degradations.checks import check_probability, check_range
from vosr.degradations.draws import Draws
from vosr.degradations.noise import luma, poisson_noise
from vosr.degradations.random_field import normal_field


@dataclass(frozen=True)
class PoissonNoiseParams(DegradationParams):
    """Strength, whether the channels share a field, and its seed, (B,) each."""

    strength: Tensor
    grey: Tensor
    seed: Tensor


class PoissonNoise(Degradation):
    """Photon noise, stronger in brighter places.

    Args:
        scale: range of the strength; 1 is the noise of as many photons as the image has levels.
        grey_probability: of one noise field for all channels.
    """

    def __init__(self, scale: tuple[float, float] = (0.05, 3.0), grey_probability: float = 0.0) -> None:
        check_range("scale", scale)
        check_probability("grey_probability", grey_probability)
        self.strength = scale
        self.grey_probability = grey_probability

    def sample(self, batch_size: int, generator: torch.Generator | None = None) -> PoissonNoiseParams:
        draws = Draws(batch_size, generator)
        return PoissonNoiseParams(
            strength=draws.uniform(*self.strength),
            grey=draws.happens(self.grey_probability),
            seed=draws.seeds(),
        )

    def apply(self, hq: Tensor, params: PoissonNoiseParams) -> Tensor:  # type: ignore[override]
        check_images(hq)
        image = to_8_bits(hq)
        params = params.to(hq.device)
        grey = params.grey.view(-1, 1, 1, 1)
        normal = normal_field(params.seed, *hq.shape[2:]).to(hq)
        noise = poisson_noise(
            torch.where(grey, luma(image), image),
            torch.where(grey, normal[:, :1], normal),
            params.strength,
        )
        return to_8_bits(image + noise)


@dataclass(frozen=True)
class SpeckleNoiseParams(DegradationParams):
    """Strength relative to the signal, and the field's seed, (B,) each."""

    sigma: Tensor
    seed: Tensor


class SpeckleNoise(Degradation):
    """Multiplicative Gaussian noise, as of coherent light.

    Args:
        sigma: range of the standard deviation relative to the signal.
    """

    def __init__(self, sigma: tuple[float, float] = (0.05, 0.3)) -> None:
        check_range("sigma", sigma)
        self.sigma = sigma

    def sample(self, batch_size: int, generator: torch.Generator | None = None) -> SpeckleNoiseParams:
        draws = Draws(batch_size, generator)
        return SpeckleNoiseParams(sigma=draws.uniform(*self.sigma), seed=draws.seeds())

    def apply(self, hq: Tensor, params: SpeckleNoiseParams) -> Tensor:  # type: ignore[override]
        check_images(hq)
        image = to_8_bits(hq)
        params = params.to(hq.device)
        normal = normal_field(params.seed, *hq.shape[2:]).to(hq)
        return to_8_bits(image * (1 + params.sigma.view(-1, 1, 1, 1) * normal))
