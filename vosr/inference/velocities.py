"""The velocity of an image that is larger than the backbone's tiles."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vosr.inference.precision import Part
from vosr.model import RestorationModel
from vosr.tiling import Tile, blend
from vosr.types import Condition

CACHE = 2**30
"""Bytes of semantics that are kept between steps; what is beyond is made again at each step."""


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

    def __post_init__(self) -> None:
        self._kept: dict[Tile, Tensor] = {}
        self._bytes = 0

    def __call__(self, z: Tensor, t: Tensor, r: Tensor) -> Tensor:
        """Velocity (B, C, h, w); see :data:`vosr.types.AverageVelocityFn`."""
        return blend(z, self.tiles, lambda group: self._velocities(group, z, t, r), self.batch)

    def _velocities(self, group: list[Tile], z: Tensor, t: Tensor, r: Tensor) -> list[Tensor]:
        """Velocity of each tile, (B, C, ·, ·), from one batch."""
        condition = Condition(
            torch.cat([tile.of(self.latent) for tile in group]),
            torch.cat([self._semantics(tile) for tile in group]),
        )
        velocity = self.model.velocity(condition, self.guidance_scale, self.partial_strength)
        cut = torch.cat([tile.of(z) for tile in group])
        result = self.part.run(lambda: velocity(cut, t.repeat(len(group)), r.repeat(len(group))))
        self.advance(len(group))
        return list(result.split(len(z)))

    def _semantics(self, tile: Tile) -> Tensor:
        if tile in self._kept:
            return self._kept[tile]
        tokens = self.semantics(tile)
        if self._bytes + tokens.nbytes <= CACHE:
            self._kept[tile] = tokens
            self._bytes += tokens.nbytes
        return tokens
