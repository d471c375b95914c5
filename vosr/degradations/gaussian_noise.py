"""White Gaussian noise, the classical denoising task."""

import torch
from torch import Tensor

from vosr.degradations.base import Degradation, DegradationParams, check_images, to_8_bits
from vosr.degradations.checks import check_probability, check_range
from vosr.degradations.draws import Draws
from vosr.degradations.noise import gaussian_noise
from vosr.degradations.random_field import normal_field


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

    def sample(self, batch_size: int, generator: torch.Generator | None = None) -> DegradationParams:
        draws = Draws(batch_size, generator)
        return {
            "sigma": draws.uniform(*self.sigma),
            "grey": draws.happens(self.grey_probability),
            "seed": draws.seeds(),
        }

    def apply(self, hq: Tensor, params: DegradationParams) -> Tensor:  # type: ignore[override]
        check_images(hq)
        moved = {name: value.to(hq.device, non_blocking=True) for name, value in params.items()}
        normal = normal_field(moved["seed"], *hq.shape[2:]).to(hq)
        normal = torch.where(moved["grey"].view(-1, 1, 1, 1), normal[:, :1], normal)
        return to_8_bits(hq + gaussian_noise(normal, moved["sigma"]))
