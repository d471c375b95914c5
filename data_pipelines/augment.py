"""Flips and quarter turns of a whole batch, on the training device.

Turning a crop costs a reading process a third of the time that decoding it takes, and a GPU next to nothing.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vosr.core.types import Batch


@dataclass(frozen=True)
class UnaugmentedBatch(Batch):
    """A batch as the readers deliver it; the data module turns it after the transfer.

    Attributes:
        turns: per image, whether it is to be mirrored, and by how many quarters it is to be turned then.
    """

    turns: tuple[tuple[bool, int], ...]

    def augmented(self) -> Batch:
        """The batch with every image, and its partner, mirrored and turned as it was drawn."""
        lq = None if self.lq is None else _turned(self.lq, self.turns)
        return Batch(hq=_turned(self.hq, self.turns), lq=lq, key=self.key)


def augmented(batch: Any) -> Any:
    """Flip and turn a batch that still has to be; anything else stays as it is."""
    return batch.augmented() if isinstance(batch, UnaugmentedBatch) else batch


def _turned(images: Tensor, turns: tuple[tuple[bool, int], ...]) -> Tensor:
    out = torch.empty(images.shape, dtype=images.dtype, device=images.device)
    for turn in set(turns):
        mirror, quarters = turn
        chosen = [i for i, each in enumerate(turns) if each == turn]
        part = images[chosen]
        out[chosen] = torch.rot90(part.flip(3) if mirror else part, quarters, (2, 3))
    return out
