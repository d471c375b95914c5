"""Modules without memory: everything has its size and type, on any machine."""

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode

M = TypeVar("M", bound=nn.Module)


def fake_copy(module: M, dtype: torch.dtype | None = None) -> M:
    """A copy of ``module`` whose parameters and buffers are fake CPU tensors; only inside a ``FakeTensorMode``.

    Args:
        module: to be copied.
        dtype: of floating-point tensors; None keeps their own.

    The original may be on the meta device. There autocast does nothing and attention takes a path that stores all
    its scores; fake CPU tensors behave as real ones.
    """
    tensors = [*module.parameters(), *module.buffers()]
    return copy.deepcopy(module, {id(tensor): _fake(tensor, dtype) for tensor in tensors})


def fake_children(module: M, dtype: torch.dtype | None = None) -> M:
    """``module`` itself, copied shallowly, around fake copies of its children."""
    twin = copy.copy(module)
    twin.__dict__["_modules"] = {
        name: child and fake_copy(child, dtype) for name, child in module._modules.items()
    }
    return twin


def _fake(tensor: Tensor, dtype: torch.dtype | None) -> Any:
    kept = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
    fake = torch.empty(tensor.shape, dtype=kept, device="cpu")
    return nn.Parameter(fake, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else fake


class AnyNumber(TorchFunctionMode):
    """Lets code read numbers out of fake tensors, which have none: it is given 0.5. No shape may depend on it."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in (Tensor.__float__, Tensor.item) and isinstance(args[0], FakeTensor):
            return 0.5
        return func(*args, **(kwargs or {}))
