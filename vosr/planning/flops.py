"""Floating-point operations of a step, shared out to its parts."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from vosr.backbones import Backbone
from vosr.core.types import PreparedSemantics

_ATEN = torch.ops.aten
_FORMULAS = {
    **flop_registry,
    _ATEN._scaled_dot_product_flash_attention_for_cpu: flop_registry[
        _ATEN._scaled_dot_product_flash_attention
    ],
    _ATEN._scaled_dot_product_flash_attention_for_cpu_backward: flop_registry[
        _ATEN._scaled_dot_product_flash_attention_backward
    ],
}


class FlopsByPart(TorchDispatchMode):
    """Counts while entered, by torch's formulas: a product and its addition are two operations.

    Only matrix products, convolutions and attention count, as in published figures. The CPU's attention kernel, for
    which torch has no formula, counts as CUDA's does: its backward pass computes the scores once more. (torch's own
    ``FlopCounterMode`` keeps recomputed activations alive, which would spoil what is measured beside it.)
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._running: list[str] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What runs inside belongs to ``name``, except for parts inside it."""
        self._running.append(name)
        yield
        self._running.pop()

    def watch(self, module: nn.Module, with_grad: str, without_grad: str) -> None:
        """Make the calls of ``module`` parts of their own, by whether they keep a graph for the backward pass.

        What a backbone prepares for them belongs to them, and is no call.
        """

        def name() -> str:
            return with_grad if torch.is_grad_enabled() else without_grad

        def begin(*_: Any) -> None:
            self._running.append(name())
            self.calls[name()] += 1

        def end(*_: Any) -> None:
            self._running.pop()

        if isinstance(module, Backbone):
            prepare = module.prepare

            def prepared(semantics: Tensor) -> Tensor | PreparedSemantics:
                with self.part(name()):
                    return prepare(semantics)

            module.__dict__["prepare"] = prepared  # of this instance alone
        module.register_forward_pre_hook(begin)
        module.register_forward_hook(end)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        formula = _FORMULAS.get(func._overloadpacket)
        if formula is not None:
            self.flops[self._running[-1]] += formula(*args, **(kwargs or {}), out_val=out)
        return out
