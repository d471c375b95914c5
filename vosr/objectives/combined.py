"""Several image losses at once."""

import torch
from torch import Tensor, nn

from vosr.objectives.base import Loss
from vosr.objectives.image import ImageLoss


class WeightedSum(ImageLoss):
    """Sum of other image losses, each times its weight.

    Args:
        losses: image losses; two terms of one name are not allowed.
        weights: one factor for each.

    Raises:
        ValueError: no loss, or another number of weights.
    """

    def __init__(self, losses: list[ImageLoss], weights: list[float]) -> None:
        super().__init__()
        if not losses or len(losses) != len(weights):
            raise ValueError(f"Give one weight for each loss, not {len(weights)} for {len(losses)}.")
        self.losses = nn.ModuleList(losses)
        self.weights = weights

    def forward(self, restored: Tensor, hq: Tensor) -> Loss:
        parts: list[Loss] = [loss(restored, hq) for loss in self.losses]
        total = torch.stack([weight * part.total for weight, part in zip(self.weights, parts)]).sum()
        terms: dict[str, Tensor] = {}
        for part in parts:
            for name, value in part.terms.items():
                if name in terms:
                    raise ValueError(f"Two image losses have a term {name!r}.")
                terms[name] = value
        return Loss(total, terms)


class LogMSE(ImageLoss):
    """Mean over the images of log(MSE + 1e-5): decibels of PSNR, so that easy and hard images count alike."""

    def forward(self, restored: Tensor, hq: Tensor) -> Loss:
        mse = (restored.float() - hq.float()).square().flatten(1).mean(1)
        return Loss(torch.log(mse + 1e-5).mean(), {"mse": mse.detach().mean()})
