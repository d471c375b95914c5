"""White Gaussian noise, the classical denoising task."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vosr.degradations.base import Degradation, DegradationParams, check_images, to_8_bits
from vosr.degradations.checks import check_probability, check_range
from vosr.degradations.draws import Draws
from vosr.degradations.noise import gaussian_noise
from vosr.degradations.random_field import normal_field


@dataclass(frozen=True)
class GaussianNoiseParams(DegradationParams):
    """Strength in 8-bit steps, whether the channels share a field, and its seed, (B,) each."""

    sigma: Tensor
    grey: Tensor
    seed: Tensor


class GaussianNoise(Degradation):
    """White Gaussian noise of a random strength.

    Kornia's ``RandomGaussianNoise`` takes half the time, but has one strength for all images, and its field hangs on
    batch and device (docs/degradations.md).

    Args:
        sigma: range of the standard deviation in 8-bit steps.
        grey_probability: of one noise field for all channels.
    """

    def __init__(self, sigma: tuple[float, float] = (5.0, 50.0), grey_probability: float = 0.0) -> None:
        check_range("sigma", sigma, least=0)
        check_probability("grey_probability", grey_probability)
        self.sigma = sigma
        self.grey_probability = grey_probability

    def sample(self, batch_size: int, generator: torch.Generator | None = None) -> GaussianNoiseParams:
        draws = Draws(batch_size, generator)
        return GaussianNoiseParams(
            sigma=draws.uniform(*self.sigma), grey=draws.happens(self.grey_probability), seed=draws.seeds()
        )

    def apply(self, hq: Tensor, params: GaussianNoiseParams) -> Tensor:  # type: ignore[override]
        check_images(hq)
        params = params.to(hq.device)
        normal = normal_field(params.seed, *hq.shape[2:]).to(hq)
        normal = torch.where(params.grey.view(-1, 1, 1, 1), normal[:, :1], normal)
        return to_8_bits(hq + gaussian_noise(normal, params.sigma))
