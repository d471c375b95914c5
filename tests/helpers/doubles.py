"""The smallest components that satisfy the interfaces; dotted paths into this file stand for plug-ins."""

import os
import time
from dataclasses import dataclass

import lightning as L
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from vosr.autoencoders import Autoencoder
from vosr.core.types import Batch
from vosr.degradations import Degradation, DegradationParams
from vosr.encoders import Encoder


class ShuffleAutoencoder(Autoencoder):
    """Lossless space-to-depth."""

    def __init__(self, factor: int = 2) -> None:
        super().__init__()
        self.factor = factor
        self.latent_channels = 3 * factor**2
        self.frozen = torch.nn.Parameter(torch.ones(1))

    def encode(self, image, sample=False, generator=None):
        return F.pixel_unshuffle(image, self.factor) * self.frozen

    def decode(self, latent):
        return F.pixel_shuffle(latent, self.factor)


class MeanEncoder(Encoder):
    """Mean colour as one token, with dropout to show whether it is in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.dim = 3
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, image):
        return self.dropout(image.mean(dim=(2, 3))[:, None])


class SlowEncoder(MeanEncoder):
    """Takes a third of a second."""

    def forward(self, image):
        time.sleep(0.3)
        return super().forward(image)


@dataclass(frozen=True)
class DimParams(DegradationParams):
    factor: torch.Tensor


class Dim(Degradation):
    """Darkens each image by its own factor."""

    def __init__(self, low: float = 0.4) -> None:
        self.low = low

    def sample(self, batch_size, generator=None, device="cpu"):
        drawn = torch.rand(batch_size, generator=generator, device=device)
        return DimParams(self.low + (1 - self.low) * drawn)

    def apply(self, hq, params):
        return (hq * params.factor.view(-1, 1, 1, 1) * 255).round() / 255


class Images(Dataset):
    """Smooth random images, each from its index."""

    def __init__(self, count: int, size: int) -> None:
        self.count, self.size = count, size

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        noise = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(index))
        image = F.interpolate(noise, size=(self.size, self.size), mode="bilinear", antialias=True)[0]
        return (image * 255).to(torch.uint8), f"image/{index}"


def collate(items):
    images, keys = zip(*items)
    return Batch(torch.stack(images), None, list(keys))


class ImageData(L.LightningDataModule):
    """A data module without files."""

    def __init__(self, count: int = 16, size: int = 16, batch_size: int = 4) -> None:
        super().__init__()
        self.count, self.size, self.batch_size = count, size, batch_size

    def train_dataloader(self):
        return DataLoader(Images(self.count, self.size), batch_size=self.batch_size, collate_fn=collate)

    def val_dataloader(self):
        return DataLoader(Images(4, self.size), batch_size=self.batch_size, collate_fn=collate)

    test_dataloader = predict_dataloader = val_dataloader


class Poison(Dim):
    """Gives not-a-number on one rank in some of its batches."""

    def __init__(self, rank: int = 1, batches: list[int] | None = None) -> None:
        super().__init__()
        self.rank, self.batches, self.seen = rank, batches or [], 0

    def apply(self, hq, params):
        self.seen += 1
        here = int(os.environ.get("RANK", 0)) == self.rank and self.seen - 1 in self.batches
        return super().apply(hq, params) * (float("nan") if here else 1.0)
