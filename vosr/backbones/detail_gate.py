"""No residual where the LQ image has no detail: flat areas and gradients stay what they are."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vosr.backbones.image_detail import detail

PERIOD = 8
HALF = 0.006
"""Detail at which half of the residual passes, in units of the latent: 0.4 of 255 levels, below one rounding step."""


@torch.no_grad()
def detail_gate(lq: Tensor, factor: int) -> Tensor:
    """Share of the residual that passes at each position of the latent, (B, 1, h, w) in [0, 1).

    a / (a + 0.4 levels), with a the largest detail of the cell, averaged over the neighbouring cells: 0 where the
    surroundings are exactly flat, above 0.9 where pixels in them differ by four levels from a smooth surface. Computed
    in float32.

    Args:
        lq: latent of unshuffled pixels, (B, 3 factor^2, h, w).
        factor: of the unshuffling.
    """
    with torch.autocast(lq.device.type, enabled=False):
        image = F.pixel_shuffle(lq.float(), factor)
        largest = F.pixel_unshuffle(detail(image, PERIOD).abs(), factor).amax(1, keepdim=True)
        return F.avg_pool2d(largest / (largest + HALF), 3, 1, 1, count_include_pad=False)
