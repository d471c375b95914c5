"""Parts that never train."""

from typing import TypeVar

from torch import nn

T = TypeVar("T", bound="FrozenModule")


class FrozenModule(nn.Module):
    """A module that never trains: no gradients, and ``train()`` leaves it in eval mode."""

    def train(self: T, mode: bool = True) -> T:
        return super().train(False)

    def freeze(self) -> None:
        """Stop gradients to every parameter and enter eval mode; call once the parts are in place."""
        self.requires_grad_(False)
        self.train(False)
