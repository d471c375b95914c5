"""Vectorised draws on the CPU: one value per image, or one for the whole batch."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vosr.core.types import RandomSource
from vosr.degradations.kernels import blur_kernels, identity_kernels, sinc_kernels


@dataclass(frozen=True)
class Draws:
    """Source of parameters for a batch.

    Attributes:
        batch_size: B.
        generator: CPU generator, one for each image, or None for torch's own.
        shared: one draw for the whole batch, as the reference makes for kernels, factors and modes.
    """

    batch_size: int
    generator: RandomSource | None
    shared: bool = False

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform draws U(low, high), (B,)."""
        count = 1 if self.shared else self.batch_size
        drawn = low + (high - low) * self._each(lambda n, stream: torch.rand(n, generator=stream), count)
        return drawn.expand(self.batch_size).clone()

    def choice(self, probabilities: tuple[float, ...]) -> Tensor:
        """Categorical draws: indices, int64 (B,)."""
        edges = torch.tensor(probabilities).cumsum(0) / sum(probabilities)
        return torch.bucketize(self.uniform(), edges[:-1], right=True)

    def happens(self, probability: float) -> Tensor:
        """Bernoulli draws, bool (B,)."""
        return self.uniform() < probability

    def seeds(self) -> Tensor:
        """Seeds of noise fields, (B,): always one per image."""
        return self._each(
            lambda n, stream: torch.randint(0, 2**31 - 1, (n,), generator=stream), self.batch_size
        )

    def _each(self, draw: Callable[[int, torch.Generator | None], Tensor], count: int) -> Tensor:
        if isinstance(self.generator, Sequence):
            return torch.cat([draw(1, stream) for stream in self.generator[:count]])
        return draw(count, self.generator)

    def resize_factor(self, probabilities: tuple[float, float, float], bounds: tuple[float, float]) -> Tensor:
        """Factor of a random resize: up, down or keep."""
        kind = self.choice(probabilities)
        up, down = self.uniform(1.0, max(bounds[1], 1.0)), self.uniform(min(bounds[0], 1.0), 1.0)
        return torch.where(kind == 0, up, torch.where(kind == 1, down, torch.ones_like(up)))

    def kernel_size(self) -> Tensor:
        """Odd kernel sizes, 7 to 21, (B,)."""
        return 7 + 2 * self.choice((1.0,) * 8)

    def exponent(self, bounds: tuple[float, float]) -> Tensor:
        """Half of the time below 1 and half above it, where 1 lies within ``bounds``; U(low, high) elsewhere."""
        low, high = bounds
        if not low <= 1 <= high:
            return self.uniform(low, high)
        return torch.where(self.happens(0.5), self.uniform(low, 1.0), self.uniform(1.0, high))

    def sinc(self) -> Tensor:
        """Ringing kernels (B, 21, 21) of a stage: small ones keep more, U(pi / 3, pi), large ones U(pi / 5, pi)."""
        size = self.kernel_size()
        share = self.uniform()
        lowest = torch.where(size < 13, math.pi / 3, math.pi / 5)
        return sinc_kernels(size, lowest + (math.pi - lowest) * share)

    def final_sinc(self) -> Tensor:
        """Ringing kernels (B, 21, 21) of the end: U(pi / 3, pi) at every size."""
        return sinc_kernels(self.kernel_size(), self.uniform(math.pi / 3, math.pi))

    def blur(
        self,
        probability: float,
        sinc_probability: float,
        family_probabilities: tuple[float, ...],
        sigma: tuple[float, float],
        generalized_beta: tuple[float, float],
        plateau_beta: tuple[float, float],
    ) -> Tensor:
        """Blur kernels (B, 21, 21) of one stage; the identity where no blur happens."""
        family, size = self.choice(family_probabilities), self.kernel_size()
        sigma_x, sigma_y, theta = self.uniform(*sigma), self.uniform(*sigma), self.uniform(-math.pi, math.pi)
        round_one = family % 2 == 0
        beta = torch.where(family < 4, self.exponent(generalized_beta), self.exponent(plateau_beta))
        kernels = blur_kernels(
            family,
            size,
            sigma_x,
            torch.where(round_one, sigma_x, sigma_y),
            torch.where(round_one, torch.zeros_like(theta), theta),
            beta,
        )
        kernels = torch.where(self.happens(sinc_probability).view(-1, 1, 1), self.sinc(), kernels)
        return torch.where(
            self.happens(probability).view(-1, 1, 1), kernels, identity_kernels(self.batch_size)
        )
