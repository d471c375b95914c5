"""Records that components exchange: batches, conditions, random sources.

Shape legend, used in every docstring: B batch, C latent channels, H W pixels, h w latent grid (H / factor),
N backbone tokens, M semantic tokens, Z semantic width, D backbone width. Time: t = 1 is noise, t = 0 is data.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

RandomSource = torch.Generator | Sequence[torch.Generator]
"""One random stream for a batch, or one for each of its samples."""

VelocityFn = Callable[[Tensor, Tensor], Tensor]
"""(z_t (B, C, h, w), t (B,)) -> velocity (B, C, h, w): the field at one time."""

AverageVelocityFn = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(z_t, t (B,), r (B,)) -> mean velocity between t and r <= t, (B, C, h, w)."""


class PreparedSemantics(ABC):
    """What a backbone has made of semantics, once for many evaluations; stands for the tokens in a condition.

    Only the backbone that made it can read it. See :meth:`vosr.backbones.Backbone.prepare`.
    """

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Memory that it takes."""

    @abstractmethod
    def repeat(self, times: int) -> "PreparedSemantics":
        """Of as many copies of the batch, one after another."""

    @abstractmethod
    def followed_by(self, other: "PreparedSemantics") -> "PreparedSemantics":
        """Of the batch that has the samples of this one, then those of ``other``."""


@dataclass(frozen=True)
class Condition:
    """What the backbone knows about the low-quality image.

    Attributes:
        latent: LQ latent, (B, C, h, w).
        semantics: frozen-encoder tokens of the LQ image, (B, M, Z), or what a backbone has made of them.
    """

    latent: Tensor
    semantics: Tensor | PreparedSemantics

    @property
    def tokens(self) -> Tensor:
        """The semantics, where they are not prepared."""
        assert isinstance(self.semantics, Tensor), "guidance mixes tokens; prepare conditions afterwards"
        return self.semantics

    def repeat(self, times: int) -> "Condition":
        """The condition of as many copies of the batch, one after another."""
        if times == 1:
            return self
        latent, semantics = self.latent.repeat(times, 1, 1, 1), self.semantics
        if isinstance(semantics, Tensor):
            return Condition(latent, semantics.repeat(times, 1, 1))
        return Condition(latent, semantics.repeat(times))

    def followed_by(self, other: "Condition") -> "Condition":
        """The condition of the batch that has the samples of this one, then those of ``other``."""
        latent = torch.cat([self.latent, other.latent])
        if isinstance(self.semantics, PreparedSemantics) and isinstance(other.semantics, PreparedSemantics):
            return Condition(latent, self.semantics.followed_by(other.semantics))
        return Condition(latent, torch.cat([self.tokens, other.tokens]))


@dataclass(frozen=True)
class Batch:
    """One training or validation batch as the data pipelines hand it over.

    Attributes:
        hq: clean images, uint8 (B, 3, H, W), sRGB.
        lq: degraded images of the same size where the data set has real pairs, else None.
        key: one stable, unique string per image; seeds the validation degradations.
    """

    hq: Tensor
    lq: Tensor | None
    key: list[str]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """The batch on another device. Lightning moves whatever has this method as a whole."""
        lq = None if self.lq is None else self.lq.to(device, non_blocking=non_blocking)
        return replace(self, hq=self.hq.to(device, non_blocking=non_blocking), lq=lq)

    def pin_memory(self) -> "Batch":
        """The batch in page-locked memory. torch's DataLoader calls this where ``pin_memory`` is set."""
        return replace(self, hq=self.hq.pin_memory(), lq=None if self.lq is None else self.lq.pin_memory())


@dataclass(frozen=True)
class EncodedBatch(Batch):
    """A training batch whose images the frozen parts have seen before.

    Attributes:
        hq: of the right size, but empty where the images were not kept.
        latent: of the clean images, (B, C, h, w).
        condition: of the degraded images.
    """

    latent: Tensor
    condition: Condition

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "EncodedBatch":
        return self._mapped(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "EncodedBatch":
        return self._mapped(Tensor.pin_memory)

    def _mapped(self, move: Callable[[Tensor], Tensor]) -> "EncodedBatch":
        condition = Condition(move(self.condition.latent), move(self.condition.tokens))
        return replace(self, hq=move(self.hq), latent=move(self.latent), condition=condition)
