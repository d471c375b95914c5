"""Matrix products in float8, by torchao."""

import importlib.util
from collections.abc import Sequence

from torch import nn


def to_float8(blocks: Sequence[nn.Module]) -> None:
    """Let the linear layers of blocks multiply in float8, in place; weights stay what they are.

    Layers with a side that is no multiple of 16 are left: the hardware's products want that.

    Raises:
        ValueError: torchao is not installed, or no layer is of such a size.
    """
    if importlib.util.find_spec("torchao") is None:
        raise ValueError("model.parallel.float8 needs torchao, which is not installed: pip install torchao.")
    if not any(_fits(module, name) for block in blocks for name, module in block.named_modules()):
        raise ValueError(
            "model.parallel.float8 has no effect: no block has a linear layer with sides that 16 divides."
        )
    from torchao.float8 import convert_to_float8_training

    for block in blocks:
        convert_to_float8_training(block, module_filter_fn=_fits)


def _fits(module: nn.Module, name: str) -> bool:
    return isinstance(module, nn.Linear) and module.in_features % 16 == 0 and module.out_features % 16 == 0
