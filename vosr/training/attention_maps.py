"""Where a decoder's levels are active: maps that a smaller decoder can imitate whatever its width."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class AttentionMaps:
    """Records, while entered, the attention map of each module's output (Zagoruyko and Komodakis 2017).

    A map is the mean square over the channels, scaled to unit length: it does not depend on how many channels there
    are, so that two decoders need no projection between them.

    Args:
        modules: whose outputs (B, C, h, w) are meant, in the order in which they run.
    """

    def __init__(self, modules: list[nn.Module]) -> None:
        self.found: list[Tensor] = []
        self._modules = modules
        self._hooks: list[Any] = []

    def __enter__(self) -> "AttentionMaps":
        self._hooks = [module.register_forward_hook(self._record) for module in self._modules]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _record(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        energy = output.float().square().mean(1)
        self.found.append(F.normalize(energy.flatten(1), dim=1).view_as(energy))


def map_distance(maps: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Squared difference of maps of equal size, mean over images and pairs; a scalar.

    Raises:
        ValueError: no two maps have one size.
    """
    by_size = {one.shape: one for one in wanted}
    pairs = [(one, by_size[one.shape]) for one in maps if one.shape in by_size]
    if not pairs:
        raise ValueError("map_weight has no effect here: the decoders have no level of the same size.")
    return torch.stack([(a - b).square().sum((1, 2)).mean() for a, b in pairs]).mean()
