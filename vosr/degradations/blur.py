"""Blurs by themselves: Gaussian, generalised, motion, defocus and ringing."""

import math
from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from vosr.degradations.base import Degradation, DegradationParams, check_images, to_8_bits
from vosr.degradations.canvas import filter2d, whole
from vosr.degradations.checks import check_probability, check_range, check_shares
from vosr.degradations.draws import Draws
from vosr.degradations.kernels import LARGEST, disk_kernels, gaussian_kernels, motion_kernels, sinc_kernels


@dataclass(frozen=True)
class BlurParams(DegradationParams):
    """A kernel (k, k) for each image, (B, k, k)."""

    kernel: Tensor


class Blur(Degradation):
    """Correlates each image with a kernel of its own; the border is reflected."""

    @abstractmethod
    def kernels(self, draws: Draws) -> Tensor:
        """Kernels (B, k, k), k odd, each of sum 1."""

    def sample(self, batch_size: int, generator: torch.Generator | None = None) -> BlurParams:
        return BlurParams(self.kernels(Draws(batch_size, generator)))

    def apply(self, hq: Tensor, params: BlurParams) -> Tensor:  # type: ignore[override]
        check_images(hq)
        return to_8_bits(filter2d(whole(to_8_bits(hq)), params.kernel).image)


class GaussianBlur(Blur):
    """Gaussian blur, round or elongated.

    Kornia's ``RandomGaussianBlur`` takes half the time, but its kernels have no direction (docs/degradations.md).

    Args:
        sigma: range of the standard deviation in pixels.
        anisotropic_probability: of two stds and a random direction.
    """

    def __init__(self, sigma: tuple[float, float] = (0.5, 4.0), anisotropic_probability: float = 0.5) -> None:
        check_range("sigma", sigma, above=0)
        check_probability("anisotropic_probability", anisotropic_probability)
        self.sigma = sigma
        self.anisotropic_probability = anisotropic_probability

    def kernels(self, draws: Draws) -> Tensor:
        sigma = draws.uniform(*self.sigma)
        other = torch.where(draws.happens(self.anisotropic_probability), draws.uniform(*self.sigma), sigma)
        side = 2 * math.ceil(3 * self.sigma[1]) + 1
        return gaussian_kernels(side, sigma, other, draws.uniform(-math.pi, math.pi))


class GeneralizedBlur(Blur):
    """Blur kernels of Real-ESRGAN: Gaussian, generalised Gaussian and plateau, round or elongated.

    Args:
        sigma: range of the standard deviation in pixels.
        family_probabilities: isotropic, anisotropic, generalised iso and aniso, plateau iso and aniso.
        generalized_beta: range of the generalised families' exponent, half of the time below 1 and half above.
        plateau_beta: range of the plateau families' exponent, likewise.
    """

    def __init__(
        self,
        sigma: tuple[float, float] = (0.2, 3.0),
        family_probabilities: tuple[float, float, float, float, float, float] = (
            0.2,
            0.2,
            0.15,
            0.15,
            0.15,
            0.15,
        ),
        generalized_beta: tuple[float, float] = (0.5, 4.0),
        plateau_beta: tuple[float, float] = (1.0, 2.0),
    ) -> None:
        check_range("sigma", sigma, above=0)
        check_range("generalized_beta", generalized_beta, above=0)
        check_range("plateau_beta", plateau_beta, above=0)
        check_shares("family_probabilities", family_probabilities)
        self.sigma = sigma
        self.family_probabilities = family_probabilities
        self.generalized_beta = generalized_beta
        self.plateau_beta = plateau_beta

    def kernels(self, draws: Draws) -> Tensor:
        return draws.blur(
            1.0, 0.0, self.family_probabilities, self.sigma, self.generalized_beta, self.plateau_beta
        )


class MotionBlur(Blur):
    """Straight camera motion of any length.

    Kornia's ``RandomMotionBlur`` takes a third of the time, but draws one odd kernel size for a whole batch.

    Args:
        length: range of the path's length in pixels.
        angle: range of its direction in degrees; 0 is horizontal.
    """

    def __init__(
        self, length: tuple[float, float] = (3.0, 25.0), angle: tuple[float, float] = (-90.0, 90.0)
    ) -> None:
        check_range("length", length, above=0)
        self.length = length
        self.angle = angle

    def kernels(self, draws: Draws) -> Tensor:
        side = 2 * math.ceil(self.length[1] / 2) + 3
        return motion_kernels(side, draws.uniform(*self.length), torch.deg2rad(draws.uniform(*self.angle)))


class DefocusBlur(Blur):
    """A lens out of focus: a disk with a soft edge.

    Args:
        radius: range of the disk's radius in pixels.
    """

    def __init__(self, radius: tuple[float, float] = (1.0, 8.0)) -> None:
        check_range("radius", radius, above=0)
        self.radius = radius

    def kernels(self, draws: Draws) -> Tensor:
        return disk_kernels(2 * math.ceil(self.radius[1]) + 3, draws.uniform(*self.radius))


class Sinc(Blur):
    """Ringing of sharp low-pass filters.

    Args:
        cutoff: range of the cut-off frequency in radians per pixel, within 0 to pi.
    """

    def __init__(self, cutoff: tuple[float, float] = (math.pi / 5, math.pi)) -> None:
        check_range("cutoff", cutoff, above=0)
        self.cutoff = cutoff

    def kernels(self, draws: Draws) -> Tensor:
        cutoff = draws.uniform(*self.cutoff)
        return sinc_kernels(torch.full((draws.batch_size,), LARGEST), cutoff)
