"""The velocity of an image that is larger than the backbone's tiles."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vosr.core.types import Condition, PreparedSemantics
from vosr.inference.precision import Part
from vosr.inference.tiling import Tile, blend
from vosr.model import RestorationModel

CACHE = 2**30
"""Bytes of tokens that are kept between steps; what is beyond is made again at each step."""


@dataclass
class TiledField:
    """Velocities of overlapping tiles, each with its own condition, blended with a smooth window at every step.

    Attributes:
        model: gives the velocity of one batch of tiles.
        part: the backbone in its dtype.
        latent: LQ latent of the whole images, (B, C, h, w).
        semantics: tokens (B, M, Z) of a tile.
        tiles: where the tiles lie; all of one size.
        batch: tiles at a time.
        guidance_scale: replaces the model's.
        partial_strength: replaces the model's.
        advance: called with the number of tiles that are done.
        keep: bytes of prepared semantics that are kept between steps; what is beyond is prepared at each step.
    """

    model: RestorationModel
    part: Part
    latent: Tensor
    semantics: Callable[[Tile], Tensor]
    tiles: list[Tile]
    batch: int
    guidance_scale: float | None
    partial_strength: float | None
    advance: Callable[[int], None]
    keep: int = 0

    def __post_init__(self) -> None:
        self._tokens: dict[Tile, Tensor] = {}
        self._bytes = 0
        self._prepared: dict[tuple[Tile, ...], Tensor | PreparedSemantics] = {}
        self._left = self.keep
        self._dtype = self.part.dtype

    def __call__(self, z: Tensor, t: Tensor, r: Tensor) -> Tensor:
        """Velocity (B, C, h, w); see :data:`vosr.core.types.AverageVelocityFn`."""
        return blend(z, self.tiles, lambda group: self._velocities(group, z, t, r), self.batch)

    def _velocities(self, group: list[Tile], z: Tensor, t: Tensor, r: Tensor) -> list[Tensor]:
        """Velocity of each tile, (B, C, ·, ·), from one batch."""
        latent, cut = (torch.cat([tile.of(whole) for tile in group]) for whole in (self.latent, z))
        times = t.repeat(len(group)), r.repeat(len(group))

        def velocity() -> Tensor:
            tokens = [self._semantics(tile) for tile in group]
            condition = Condition(latent, torch.cat(tokens))
            semantics = self._prepare(tuple(group), tokens)
            field = self.model.velocity(condition, self.guidance_scale, self.partial_strength, semantics)
            return field(cut, *times)

        result = self.part.run(velocity)
        self.advance(len(group))
        return list(result.split(len(z)))

    def _prepare(self, group: tuple[Tile, ...], tokens: list[Tensor]) -> Tensor | PreparedSemantics:
        """The group's semantics prepared, from an earlier step if they were kept; once where tiles share them."""
        if self._dtype != self.part.dtype:  # it overflowed, and so may what it has prepared
            self._prepared, self._left, self._dtype = {}, self.keep, self.part.dtype
        shared = len(tokens) > 1 and all(each is tokens[0] for each in tokens)
        key = () if shared else group
        prepared = self._prepared.get(key)
        if prepared is None:
            prepared = self.model.backbone.prepare(tokens[0] if shared else torch.cat(tokens))
            if prepared.nbytes <= self._left:
                self._prepared[key] = prepared
                self._left -= prepared.nbytes
        if not shared:
            return prepared
        times = len(tokens)
        return prepared.repeat(times, 1, 1) if isinstance(prepared, Tensor) else prepared.repeat(times)

    def _semantics(self, tile: Tile) -> Tensor:
        if tile in self._tokens:
            return self._tokens[tile]
        tokens = self.semantics(tile)
        if self._bytes + tokens.nbytes <= CACHE:
            self._tokens[tile] = tokens
            self._bytes += tokens.nbytes
        return tokens
