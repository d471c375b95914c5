"""DISTS: structure and texture similarity of deep features."""

from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
import torchmetrics.functional.image as torchmetrics_image
from torch import Tensor, nn

from vosr.core.weights import read_tensors
from vosr.metrics.base import PairMetric
from vosr.metrics.deep import Loaded, build_network
from vosr.metrics.lpips import VGG, torchvision_features

CHANNELS = (3, 64, 128, 256, 512, 512)
TAPS = (3, 8, 15, 22, 29)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
EPSILON = 1e-6
HEADS = Path(torchmetrics_image.__file__).parent / "dists_models" / "weights.pt"
"""The learned weights per channel, which torchmetrics brings with it."""


class DISTSNetwork(nn.Module):
    """VGG16 with smooth pooling, and two weights per channel of the image and of each stage."""

    def __init__(self) -> None:
        super().__init__()
        self.features = torchvision_features("vgg")
        self.alpha = nn.Parameter(torch.rand(1, sum(CHANNELS), 1, 1))
        self.beta = nn.Parameter(torch.rand(1, sum(CHANNELS), 1, 1))

    def maps(self, image: Tensor) -> list[Tensor]:
        """The image in [0, 1] and the rectified output of each stage."""
        x = (image - image.new_tensor(MEAN).view(1, 3, 1, 1)) / image.new_tensor(STD).view(1, 3, 1, 1)
        maps = [image]
        for i, layer in enumerate(self.features[: TAPS[-1] + 1]):
            x = smooth_pool(x) if isinstance(layer, nn.MaxPool2d) else layer(x)
            if i in TAPS:
                maps.append(x)
        return maps

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        """Distances (B,) of RGB images (B, 3, H, W) in [0, 1]."""
        texture, structure = [], []
        for x, y in zip(self.maps(image), self.maps(reference)):
            mean_x, mean_y = x.mean((2, 3), keepdim=True), y.mean((2, 3), keepdim=True)
            var_x = (x - mean_x).square().mean((2, 3), keepdim=True)
            var_y = (y - mean_y).square().mean((2, 3), keepdim=True)
            covariance = (x * y).mean((2, 3), keepdim=True) - mean_x * mean_y
            texture.append((2 * mean_x * mean_y + EPSILON) / (mean_x**2 + mean_y**2 + EPSILON))
            structure.append((2 * covariance + EPSILON) / (var_x + var_y + EPSILON))
        similarity = self.alpha * torch.cat(texture, 1) + self.beta * torch.cat(structure, 1)
        return 1 - similarity.sum((1, 2, 3)) / (self.alpha.sum() + self.beta.sum())


def smooth_pool(x: Tensor) -> Tensor:
    """Root of the Hann-weighted mean of squares over 3 x 3 pixels, every second pixel."""
    hann = x.new_tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(hann, hann).expand(x.shape[1], 1, 3, 3)
    return (F.conv2d(x.square(), kernel, stride=2, padding=1, groups=x.shape[1]) + 1e-12).sqrt()


class DISTS(PairMetric):
    """DISTS: structure and texture similarity of VGG16 features.

    [0, about 1], lower is better. Takes RGB in [0, 1] at full size, no border. Source: Ding et al. 2020; learned
    weights from torchmetrics, backbone from torchvision.

    Args:
        weights: ``vgg16-397923af.pth`` or its folder; by default the folder of weights, then torch's hub.
        pretrained: false gives fixed random weights.
    """

    title = "DISTS"
    low, high = 0.0, 2.0

    def __init__(self, weights: Path | None = None, pretrained: bool = True) -> None:
        super().__init__()
        self.network, self.unavailable = build_network(DISTSNetwork, pretrained, lambda: _load(weights))

    def compare(self, restored: Tensor, reference: Tensor) -> Tensor:
        distance: Tensor = self.network.module(restored, reference)
        return distance


def _load(weights: Path | None) -> Loaded:
    path = replace(VGG, title="DISTS").locate(weights)
    state = {k: v for k, v in read_tensors(path).items() if k.startswith("features.")}
    return state | dict(read_tensors(HEADS)), path
