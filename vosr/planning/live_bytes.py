"""Bytes of the tensors that are alive while something runs; works on fake tensors, which have sizes but no memory."""

import weakref
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Kind = Literal["activations", "weight copies", "gradients"]
"""What memory is for: a trained weight cast to the compute type, a weight's gradient, or anything else."""


@dataclass
class _Held:
    kind: Kind
    size: int


class LiveBytes(TorchDispatchMode):
    """While entered, records the live bytes by kind after each allocation.

    Args:
        resident: parameters and buffers; they are not counted, their gradients and cast copies are.
    """

    def __init__(self, resident: Iterable[Tensor]) -> None:
        super().__init__()
        self._history: list[Counter[Kind]] = []
        self._now: Counter[Kind] = Counter()
        self._held: weakref.WeakKeyDictionary[Any, _Held] = weakref.WeakKeyDictionary()
        for tensor in resident:
            self._held[tensor.untyped_storage()] = _Held("activations", 0)
            if tensor.requires_grad:
                tensor.register_post_accumulate_grad_hook(self._mark_gradient)

    def take(self) -> list[Counter[Kind]]:
        """The record since the last call."""
        history, self._history = self._history, []
        return history

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        copied = func is torch.ops.aten._to_copy.default and args[0].is_leaf and args[0].requires_grad
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._hold(leaf, "weight copies" if copied else "activations")
        return out

    def _hold(self, tensor: Tensor, kind: Kind) -> None:
        storage = tensor.untyped_storage()
        if storage in self._held:
            return
        held = self._held[storage] = _Held(kind, storage.nbytes())
        self._now[kind] += held.size
        weakref.finalize(storage, self._release, held).atexit = False
        self._history.append(self._now.copy())

    def _release(self, held: _Held) -> None:
        self._now[held.kind] -= held.size

    def _mark_gradient(self, parameter: Tensor) -> None:
        assert parameter.grad is not None
        held = self._held[parameter.grad.untyped_storage()]
        self._release(held)
        held.kind = "gradients"
        self._now[held.kind] += held.size
