"""Group normalisation of tiles by the statistics of the whole image.

A group norm takes its statistics from whatever it sees. Tiles that are normalised each by themselves differ in tone
from their neighbours, and from the image decoded as a whole. So the statistics are taken once, over pieces spread
across the image that run as one batch, and every tile is then normalised by them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

Forward = Callable[[Tensor], Tensor]


class Statistics:
    """Mean and variance of every group norm inside a network.

    Args:
        network: whose norms are meant.
    """

    def __init__(self, network: nn.Module) -> None:
        self.norms = [module for module in network.modules() if isinstance(module, nn.GroupNorm)]
        self.moments: dict[nn.GroupNorm, tuple[Tensor, Tensor]] = {}

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Within, every norm pools its statistics over the whole batch, uses them, and remembers them."""
        with self._replaced(self._pooling):
            yield

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within, every norm uses the statistics that were taken."""
        with self._replaced(lambda norm: lambda x: normalise(norm, x, *self.moments[norm])):
            yield

    def _pooling(self, norm: nn.GroupNorm) -> Forward:
        def forward(x: Tensor) -> Tensor:
            groups = x.float().unflatten(1, (norm.num_groups, -1)).transpose(0, 1).flatten(1)
            self.moments[norm] = groups.mean(1), groups.var(1, correction=0)
            return normalise(norm, x, *self.moments[norm])

        return forward

    @contextmanager
    def _replaced(self, forward: Callable[[nn.GroupNorm], Forward]) -> Iterator[None]:
        try:
            for norm in self.norms:
                norm.__dict__["forward"] = forward(norm)  # this instance alone
            yield
        finally:
            for norm in self.norms:
                norm.__dict__.pop("forward", None)


def normalise(norm: nn.GroupNorm, x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Group norm of ``x`` (B, C, …) by given statistics per group, (G,) each."""
    each = norm.num_channels // norm.num_groups
    scale = (variance + norm.eps).rsqrt().repeat_interleave(each)
    shift = -mean.repeat_interleave(each) * scale
    if norm.affine:
        scale, shift = scale * norm.weight.float(), shift * norm.weight.float() + norm.bias.float()
    shape = (1, -1, *(1,) * (x.ndim - 2))
    return (x.float() * scale.view(shape) + shift.view(shape)).to(x.dtype)
