"""Batches whose images have different sizes on the way, degraded in buckets of similar size."""

from collections.abc import Callable

import torch
from torch import Tensor

from vosr.degradations.base import Params

GROUP = {False: 1, True: 8}
"""Images that share a canvas, without and with a GPU. One: a batch gives its images' results to the bit; more:
up to what the rounding of JPEG and 8 bits makes of differences of 1e-7 between transforms of two sizes."""


def apply_in_buckets(
    hq: Tensor,
    params: Params,
    size: Tensor,
    apply: Callable[[Tensor, Params], Tensor],
) -> Tensor:
    """Apply a degradation bucket by bucket; images of similar ``size`` (B,) share a canvas with little padding."""
    order = size.argsort()
    hq, params = hq.index_select(0, order.to(hq.device, non_blocking=True)), params.select(order)
    count = GROUP[hq.device.type == "cuda"]
    groups = [slice(start, start + count) for start in range(0, len(hq), count)]
    lq = torch.cat([apply(hq[group], params.select(group)) for group in groups])
    return lq.index_select(0, order.argsort().to(hq.device, non_blocking=True))
