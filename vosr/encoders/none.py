"""No semantics."""

from torch import Tensor

from vosr.encoders.base import Encoder


class NoEncoder(Encoder):
    """No semantics: one token of zeros, so that only the LQ latent conditions the model.

    Args:
        dim: width of the token.
    """

    def __init__(self, dim: int = 8) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, image: Tensor) -> Tensor:
        return image.new_zeros(image.shape[0], 1, self.dim)
