"""What cross-attention needs of the semantics, made once for many evaluations of a backbone.

Semantics change neither over the steps of a sampler nor within a step of distillation, and neither do keys and values.
Where all tokens of a sample are equal (the partial condition's are all zero) keys are too, softmax is uniform and the
result is one vector, whatever the query.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from vosr.core.types import PreparedSemantics


class Tokens(NamedTuple):
    """Tokens (B, M, ·) of samples that occur ``copies`` times in a batch: B samples, then the same again."""

    tokens: Tensor
    copies: int = 1


class KeysValues(NamedTuple):
    """Normalised keys and values (B, heads, M, head_dim) of samples that occur ``copies`` times in a batch."""

    keys: Tensor
    values: Tensor
    copies: int = 1


class Constant(NamedTuple):
    """Result of cross-attention (B, 1, D), the same for every query, of samples that occur ``copies`` times."""

    result: Tensor
    copies: int = 1


Context = Tokens | KeysValues | Constant
Segment = Tokens | tuple[Context, ...]
"""Consecutive samples of a batch: what each block needs, or raw tokens that are projected at each evaluation."""


@dataclass(frozen=True)
class SemanticsKV(PreparedSemantics):
    """Semantics as :class:`vosr.backbones.LightningDiT` prepares them.

    Attributes:
        segments: of the batch, one after another.
    """

    segments: tuple[Segment, ...]

    @property
    def nbytes(self) -> int:
        contexts = [c for s in self.segments for c in ((s,) if isinstance(s, Tokens) else s)]
        return sum(value.nbytes for context in contexts for value in context if isinstance(value, Tensor))

    def repeat(self, times: int) -> "SemanticsKV":
        if len(self.segments) > 1:
            return SemanticsKV(self.segments * times)
        return SemanticsKV((_repeated(self.segments[0], times),))

    def followed_by(self, other: PreparedSemantics) -> "SemanticsKV":
        assert isinstance(other, SemanticsKV)
        return SemanticsKV(self.segments + other.segments)


def without_copies(semantics: Tensor) -> Tokens:
    """Semantics (B, M, Z) without what is there several times by construction: expanded tokens, expanded samples."""
    if semantics.stride(1) == 0:
        semantics = semantics[:, :1]
    if semantics.stride(0) == 0:
        return Tokens(semantics[:1], len(semantics))
    return Tokens(semantics)


def sample_count(context: Context) -> int:
    """Samples of the batch that a context is of."""
    return len(context[0]) * context.copies


def _repeated(segment: Segment, times: int) -> Segment:
    if isinstance(segment, Tokens):
        return segment._replace(copies=segment.copies * times)
    return tuple(context._replace(copies=context.copies * times) for context in segment)
