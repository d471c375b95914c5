"""Interface of a vision encoder: LQ image -> semantic tokens."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from vosr.core.registry import Component


class Encoder(Component, nn.Module, ABC):
    """Frozen network that reads the degraded image.

    Attributes:
        dim: width Z of the tokens.
    """

    dim: int

    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """Tokens (B, M, Z) of ``image`` (B, 3, H, W) in [0, 1], any size; M does not depend on H and W."""
