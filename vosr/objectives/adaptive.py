"""Mean squared error with adaptive weights per sample."""

from torch import Tensor

FLOOR = 1e-3
"""Mean squared error below which a sample's weight no longer grows."""


def adaptive_mse(predicted: Tensor, target: Tensor, power: float) -> tuple[Tensor, Tensor]:
    """Mean squared error weighted per sample by (error + 1e-3)^-power, and the plain one.

    A crowd of edges leaves far more error than a calm surface, so plain training hardly sees the latter. Power 1
    makes a relative improvement count alike everywhere, as decibels do. The weight carries no gradient.

    Args:
        predicted: (B, C, h, w).
        target: same shape.
        power: 0 is the plain error.

    Returns:
        Weighted error, for the gradient, and plain error, detached. Both are scalars.
    """
    error = (predicted.float() - target.float()).square().flatten(1).mean(1)
    weighted = error * (error.detach() + FLOOR) ** -power if power else error
    return weighted.mean(), error.detach().mean()
