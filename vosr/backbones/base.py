"""Interface of a backbone: the network that predicts velocities."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from vosr.core.registry import Component
from vosr.core.types import Condition, PreparedSemantics


class Backbone(Component, nn.Module, ABC):
    """Velocity model v(z_t, t | condition), or average-velocity model u(z_t, t, r | condition).

    Attributes:
        latent_channels: C.
        patch_size: height and width of the latent must be multiples of it.
        end_time: whether the model takes an end time r (a student that may take any step length).
        width: D, numbers per token inside; what memory is planned by.
        blocks: the repeated submodules, called by ``forward`` one after the other: units of activation checkpointing,
            compilation and sharding. Needed for these alone, as is a method ``reset_parameters`` that draws initial
            weights and fills buffers.
        prepares_inside: :meth:`prepare` leaves the work to ``forward``. Set from outside where weights are there in
            ``forward`` alone (FSDP), or where what it makes is not to be kept (activation checkpointing).
    """

    latent_channels: int
    patch_size: int
    end_time: bool
    width: int = 1024
    blocks: nn.ModuleList
    prepares_inside: bool = False

    @abstractmethod
    def forward(
        self, x: Tensor, t: Tensor, semantics: Tensor | PreparedSemantics, r: Tensor | None = None
    ) -> Tensor:
        """Velocity of a batch.

        Args:
            x: channel concatenation [LQ latent, z_t], (B, 2C, h, w).
            t: time in [0, 1], (B,).
            semantics: (B, M, Z), or what :meth:`prepare` made of it.
            r: end time, (B,), r <= t; only for models with ``end_time``.

        Returns:
            (B, C, h, w).
        """

    def prepare(self, semantics: Tensor) -> Tensor | PreparedSemantics:
        """What can be made of the semantics (B, M, Z) once for many evaluations; without override, the tokens.

        Exact: an evaluation with the result equals one with the tokens, and gradients flow through it. Valid until the
        weights change.
        """
        return semantics

    def prepared(self, condition: Condition) -> Condition:
        """The condition with its semantics prepared."""
        return Condition(condition.latent, self.prepare(condition.tokens))

    def velocity(self, z_t: Tensor, t: Tensor, condition: Condition, r: Tensor | None = None) -> Tensor:
        """:meth:`forward` on a condition record: LQ latent first, as the released models were trained."""
        return self(torch.cat([condition.latent, z_t], dim=1), t, condition.semantics, r)


BackboneFactory = Callable[[int, int], Backbone]
"""(latent_channels, semantic_dim) -> backbone: the two sizes come from the autoencoder and the encoder."""
