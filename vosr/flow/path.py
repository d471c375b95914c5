"""The straight path between data and noise (docs/method.md#flow-matching). t = 1 is noise, t = 0 is data."""

from torch import Tensor


def interpolate(data: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """z_t = (1 - t) * data + t * noise for t of shape (B,)."""
    t = per_sample(t, data)
    return (1 - t) * data + t * noise


def velocity(data: Tensor, noise: Tensor) -> Tensor:
    """dz_t / dt = noise - data, the same at every t."""
    return noise - data


def per_sample(values: Tensor, like: Tensor) -> Tensor:
    """(B,) -> (B, 1, 1, …), in the precision of ``like``, to broadcast over it."""
    return values.to(like.dtype).view(-1, *[1] * (like.ndim - 1))
