"""Tile and batch sizes from the memory that is free."""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from vosr.core.devices import physical_memory
from vosr.model import RestorationModel

GIB = 2**30
SHARE = 0.5
"""Part of the free memory that is planned with: activations are estimated, and others use the machine too."""
WHOLE = 1.25
"""An image up to this many training sizes along each side is restored without tiles of the backbone."""
KEPT = 0.25
"""Part of the working memory for what is prepared once and kept between steps."""
MOST_TILES = 16
"""In a batch; more is no faster."""
LIVE = 24
"""Vectors of the backbone's width that are alive per token at the widest point of a block, in float32."""


STRIP = 64
"""Bytes per pixel of a strip as wide as the image, while it is put together and turned into 8 bits."""


@dataclass(frozen=True)
class TilePlan:
    """Sizes of what is worked on at once.

    Attributes:
        tile: side of the backbone's tiles in latent cells; 0 for the whole image.
        batch: tiles in a batch.
        block: side of the autoencoder's tiles in latent cells.
        keep: bytes of prepared semantics that are kept between steps.
    """

    tile: int
    batch: int
    block: int
    keep: int = 0

    def smaller(self, least_tile: int, least_block: int, size: int) -> "TilePlan":
        """The plan to fall back to when memory ran out: half the sides, one tile at a time."""
        tile = self.tile or size
        return replace(
            self,
            tile=max(least_tile, tile // 2),
            batch=1,
            block=max(least_block, min(self.block, size) // 2),
            keep=0,
        )


def make_plan(
    model: RestorationModel, height: int, width: int, tile: int | None, memory: int, images: int = 1
) -> TilePlan:
    """Plan for images of ``height`` x ``width`` pixels.

    Args:
        model: whose sizes count.
        height: of the padded image.
        width: of the padded image.
        tile: wanted side of the backbone's tiles in pixels; 0 for none, None to choose.
        memory: bytes to work with.
        images: in the batch.
    """
    autoencoder, backbone, size = model.conditioner.autoencoder, model.backbone, model.card.training_size
    if tile is None:
        tile = size if max(height, width) > WHOLE * size else 0
    if tile >= max(height, width):
        tile = 0
    cells = tile // model.multiple * backbone.patch_size
    side = cells or max(height, width) // autoencoder.factor
    tokens = (side // backbone.patch_size) ** 2
    # Two branches of a guided teacher, and as many keys of semantics as tokens.
    per_tile = 2 * 2 * tokens * LIVE * 4 * backbone.width
    batch = min(MOST_TILES, max(1, memory // (per_tile * images)))
    # The pieces that the statistics of group norms come from are as large as two tiles.
    block = int(min((memory / (2 * autoencoder.working_bytes)) ** 0.5, memory / (STRIP * width)))
    block //= autoencoder.factor
    return TilePlan(cells, batch, max(least_block(autoencoder.context), block), int(memory * KEPT))


def least_block(context: int) -> int:
    """Smallest sensible side of the autoencoder's tiles, in cells: as much interior as overlap."""
    return max(16, 8 * context)


def memory_budget(device: torch.device, limit: float | None) -> int:
    """Bytes to plan with: ``limit`` in GiB, or a share of what is free."""
    return int(limit * GIB) if limit is not None else int(free_memory(device) * SHARE)


def free_memory(device: torch.device) -> int:
    """Bytes that could be allocated on ``device`` now."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    free = physical_memory() // 2
    with contextlib.suppress(OSError, ValueError):  # Linux
        fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        free = int(fields["MemAvailable"].split()[0]) * 1024
    with contextlib.suppress(OSError, ValueError):  # within a container's limit; "max" where there is none
        group = Path("/sys/fs/cgroup")
        limit, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        free = min(free, limit - used)
    return max(free, 0)
