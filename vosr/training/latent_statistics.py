"""Mean and std of an autoencoder's latents, by which they are normalised for a flow."""

from collections import deque
from typing import Any

import lightning as L
import torch
from torch import Tensor

from vosr.training.batches import as_batch

LEAST_STD = 1e-4


class LatentStatistics(L.Callback):
    """Measures the latents' mean and std per channel over the last training crops, by the averaged weights.

    Before each validation and at the end of training, in time for what is written then. The crops are kept as 8-bit
    images, so that the training data need not be read again; posterior draws count with their noise.

    Args:
        images: crops of each rank.

    Raises:
        ValueError: no image.
    """

    def __init__(self, images: int) -> None:
        if images < 1:
            raise ValueError(f"statistics_images must be at least 1, not {images}.")
        self.images = images
        self._kept: deque[Tensor] = deque()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._kept.append(as_batch(batch).hq.cpu())
        while sum(map(len, self._kept)) - len(self._kept[0]) >= self.images:
            self._kept.popleft()

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._measure(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._measure(trainer, pl_module)

    @torch.no_grad()
    def _measure(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not self._kept:  # a run that begins, or that had nothing left to do
            return
        average: Any = pl_module.average
        sums = torch.zeros(3, len(average.mean), dtype=torch.float64)
        for images in self._kept:
            with trainer.precision_plugin.forward_context():
                _, moments = average(images.to(pl_module.device).float() / 255 * 2 - 1)
            sums += latent_sums(moments).cpu()
        together = trainer.strategy.reduce(sums.to(pl_module.device, torch.float32), reduce_op="sum")
        mean, std = mean_and_std(together.cpu().double())
        for network in (pl_module.average, pl_module.backbone):
            network.mean.copy_(mean.view(-1, 1, 1))  # type: ignore[union-attr, operator]
            network.std.copy_(std.view(-1, 1, 1))  # type: ignore[union-attr, operator]


def latent_sums(moments: Tensor) -> Tensor:
    """Count, sum and sum of squares per channel of draws from a posterior, (3, C) float64, without drawing any."""
    mean, log_variance = moments.double().chunk(2, dim=1)
    squares = mean.square() + log_variance.clamp(-30, 20).exp()
    each = (torch.ones_like(mean), mean, squares)
    return torch.stack([values.sum((0, 2, 3)) for values in each])


def mean_and_std(sums: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and std per channel of :func:`latent_sums`; a channel that carries nothing has a small std."""
    count, total, squares = sums
    mean = total / count
    return mean, (squares / count - mean.square()).clamp_min(LEAST_STD**2).sqrt()
