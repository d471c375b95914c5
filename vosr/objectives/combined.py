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


class AbsoluteError(ImageLoss):
    """Mean absolute error."""

    def forward(self, restored: Tensor, hq: Tensor) -> Loss:
        error = (restored.float() - hq.float()).abs().mean()
        return Loss(error, {"l1": error.detach()})


class LogMSE(ImageLoss):
    """Mean over the images of log(MSE + 1e-5): decibels of PSNR, so that easy and hard images count alike."""

    def forward(self, restored: Tensor, hq: Tensor) -> Loss:
        mse = (restored.float() - hq.float()).square().flatten(1).mean(1)
        return Loss(torch.log(mse + 1e-5).mean(), {"mse": mse.detach().mean()})


class Mesh(ImageLoss):
    """Energy of the pattern that all cells of an image's error share, over the image's mean squared error.

    A network on unshuffled pixels may add the same faint pattern to every cell, which a squared error hardly counts and
    the eye sees in smooth areas. White error of N cells gives 1 / N.

    Args:
        period: side of a cell in pixels, which divides the image's sides.

    Raises:
        ValueError: a period below 2.
    """

    def __init__(self, period: int = 4) -> None:
        super().__init__()
        if period < 2:
            raise ValueError(f"period must be at least 2, not {period}.")
        self.period = period

    def forward(self, restored: Tensor, hq: Tensor) -> Loss:
        error = restored.float() - hq.float()
        cells = error.unflatten(3, (-1, self.period)).unflatten(2, (-1, self.period))
        pattern = cells.mean((2, 4))  # (B, 3, period, period)
        pattern = pattern - pattern.mean((2, 3), keepdim=True)
        mse = error.detach().square().flatten(1).mean(1)
        share = (pattern.square().flatten(1).mean(1) / (mse + 1e-6)).mean()
        return Loss(share, {"mesh": share.detach()})
