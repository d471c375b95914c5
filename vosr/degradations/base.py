"""Interface of a degradation: clean picture -> degraded picture, drawn apart from applied."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from vosr.component import Component

DegradationParams = dict[str, Any]
"""Tensors of leading dimension B, or nested mappings of such."""


class Degradation(Component, ABC):
    """Stateless, seeded degradation of a whole batch on its own device.

    Attributes:
        scale: reduction of the picture inside the degradation (4: LQ carries the information of a picture of a
            quarter of the size). The LQ always comes back at the size of the HQ.
    """

    scale: int = 1

    @abstractmethod
    def sample(
        self, batch_size: int, generator: torch.Generator | None = None, device: torch.device | str = "cpu"
    ) -> DegradationParams:
        """Draw the parameters of ``batch_size`` independent degradations."""

    @abstractmethod
    def apply(self, hq: Tensor, params: DegradationParams) -> Tensor:
        """Degrade ``hq`` (B, 3, H, W) in [0, 1] with drawn parameters.

        Deterministic: the same parameters give the same picture, and a batch gives what its pictures give one by
        one.

        Returns:
            LQ of the same shape, in [0, 1], in 8-bit steps.
        """

    def __call__(self, hq: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw and apply."""
        return self.apply(hq, self.sample(hq.shape[0], generator, hq.device))
