"""FID and KID: distance between the distributions of restored and reference patches in features of Inception v3."""

import importlib.util
import io
from abc import abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric as TorchMetric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance
from torchmetrics.utilities.data import dim_zero_cat

from vosr.core.weights import fixed_random, read_tensors
from vosr.metrics.base import Metric
from vosr.metrics.deep import Loaded, Network, WebFile, build_network

FILE = WebFile(
    "FID",
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
    digest="6726825d",
)
PACKAGE = "torch_fidelity"
SUBSET = 1000
"""Patches of one draw of KID."""


def inception() -> nn.Module:
    """TensorFlow's Inception v3 of 2015 as torch-fidelity builds it, with random weights."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Unfilled(FeatureExtractorInceptionV3):
        """Its constructor wants a file to unpickle: it gets an empty one."""

        def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
            return super().load_state_dict(state_dict, strict and bool(state_dict), assign)

    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    with torch.device("cpu"):  # reading a file is not for the meta device
        return Unfilled("inception-v3-compat", ["2048"], feature_extractor_weights_path=empty)


class Features(nn.Module):
    """2048 features of uint8 images (B, 3, H, W), resized to 299 px as TensorFlow 1 does."""

    num_features = 2048

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.network(images)[0]
        return features


def patches(images: Tensor, size: int) -> Tensor:
    """Non-overlapping squares of ``size`` px, uint8, from the top left; smaller images are one patch of their own.

    Args:
        images: (B, 3, H, W) in [0, 1].
        size: side of a patch.
    """
    height, width = min(size, images.shape[-2]), min(size, images.shape[-1])
    tiles = images.unfold(2, height, height).unfold(3, width, width)
    return (tiles.permute(0, 2, 3, 1, 4, 5).flatten(0, 2) * 255).round().to(torch.uint8)


class Frechet(FrechetInceptionDistance):
    """NaN of fewer than two patches, on all ranks together."""

    def compute(self) -> Tensor:
        if min(int(self.real_features_num_samples), int(self.fake_features_num_samples)) < 2:
            return torch.tensor(torch.nan)
        return super().compute().float()


class Kernel(KernelInceptionDistance):
    """Mean alone, times 1000; always the same draws; all patches at once where there are few."""

    real_features: list[Tensor]

    def compute(self) -> Tensor:  # type: ignore[override]
        count = len(dim_zero_cat(self.real_features)) if self.real_features else 0
        if count < 2:
            return torch.tensor(torch.nan)
        self.subset_size, self.subsets = min(SUBSET, count), 100 if count > SUBSET else 1
        with fixed_random():
            return 1000 * super().compute()[0].float()


class _SetMetric(Metric):
    over = "set"
    low, high = 0.0, float("inf")
    inner: TorchMetric

    def __init__(self, patch: int = 256, weights: Path | None = None, pretrained: bool = True) -> None:
        super().__init__()
        self.patch = patch
        network, self.unavailable = _network(weights, pretrained, self.title)
        self.inner = self.make(Features(network.module)) if self.unavailable is None else _Nothing()

    @abstractmethod
    def make(self, features: Features) -> TorchMetric:
        """The metric of torchmetrics on these features."""

    def compute(self) -> Tensor:
        value: Tensor = self.inner.compute()
        return value

    def update(self, restored: Tensor, reference: Tensor | None = None, lq: Tensor | None = None) -> None:
        restored, reference, _ = self.checked(restored, reference, lq)
        assert reference is not None
        with torch.no_grad(), torch.autocast(restored.device.type, enabled=False):
            self.inner.update(patches(reference, self.patch), real=True)
            self.inner.update(patches(restored, self.patch), real=False)

    def reset(self) -> None:
        super().reset()
        self.inner.reset()


class FID(_SetMetric):
    """Fréchet Inception distance between restored and reference patches.

    [0, inf), lower is better; one figure for the whole set. Takes RGB, 8 bits, non-overlapping patches. Biased upwards
    for small sets (thousands of patches are usual): compare only sets of one size. Needs the package
    ``torch-fidelity``. Source: Heusel et al. 2017, through torchmetrics, with TensorFlow's Inception and its resizing.

    Args:
        patch: side of a patch in pixels.
        weights: the file of Inception or its folder; by default the folder of weights, then torch's hub.
        pretrained: false gives fixed random weights.
    """

    title = "FID"
    digits = 2

    def make(self, features: Features) -> TorchMetric:
        return Frechet(feature=features)


class KID(_SetMetric):
    """Kernel Inception distance between restored and reference patches, times 1000.

    About [0, inf), lower is better; one figure for the whole set, unbiased for small ones (and so slightly negative at
    times). Takes RGB, 8 bits, non-overlapping patches. Needs the package ``torch-fidelity``. Source: Binkowski et al.
    2018, through torchmetrics: 100 draws of 1000 patches, or all at once where there are fewer.

    Args:
        patch: side of a patch in pixels.
        weights: the file of Inception or its folder; by default the folder of weights, then torch's hub.
        pretrained: false gives fixed random weights.
    """

    title = "KID x1000"
    digits = 2
    low = float("-inf")

    def make(self, features: Features) -> TorchMetric:
        return Kernel(feature=features, subset_size=SUBSET)


class _Nothing(TorchMetric):
    """Stands where there is no network."""

    def update(self) -> None: ...

    def compute(self) -> None: ...


def _network(weights: Path | None, pretrained: bool, title: str) -> tuple[Network, str | None]:
    if importlib.util.find_spec(PACKAGE) is None:
        return Network(nn.Identity()), f"{title.split()[0]} unavailable: pip install torch-fidelity."
    return build_network(inception, pretrained, lambda: _load(weights))


def _load(weights: Path | None) -> Loaded:
    path = FILE.locate(weights)
    return read_tensors(path), path
