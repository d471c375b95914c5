"""No residual where the LQ image has no detail: flat areas and gradients stay what they are."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vosr.backbones.image_detail import detail

PERIOD = 8
HALF = 0.0157
"""Detail at which half of the residual passes, in units of the latent: one level of 255; rounding makes half."""


@torch.no_grad()
def detail_gate(lq: Tensor, factor: int) -> Tensor:
    """Share of the residual that passes at each position of the latent, (B, 1, h, w) in [0, 1).

    a^2 / (a^2 + h^2), with a the largest detail of the cell and h one level, averaged over the neighbouring cells: 0
    where the surroundings are exactly flat, a fifth where they are a rounded gradient, above 0.9 where pixels in them
    differ by four levels from a smooth surface. Computed in float32.

    Args:
        lq: latent of unshuffled pixels, (B, 3 factor^2, h, w).
        factor: of the unshuffling.
    """
    with torch.autocast(lq.device.type, enabled=False):
        image = F.pixel_shuffle(lq.float(), factor)
        largest = F.pixel_unshuffle(detail(image, PERIOD).square(), factor).amax(1, keepdim=True)
        return F.avg_pool2d(largest / (largest + HALF**2), 3, 1, 1, count_include_pad=False)
