"""LPIPS: distance of deep features, weighted per channel by human judgements."""

from pathlib import Path
from typing import Literal

import torch
import torchmetrics.functional.image as torchmetrics_image
from torch import Tensor, nn

from vosr.core.weights import read_tensors
from vosr.metrics.base import PairMetric
from vosr.metrics.deep import Loaded, WebFile, build_network

ALEX = WebFile(
    "LPIPS (alex)", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth", digest="7be5be79"
)
VGG = WebFile("LPIPS (vgg)", "https://download.pytorch.org/models/vgg16-397923af.pth", digest="397923af")
TAPS = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}
CHANNELS = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
HEADS = Path(torchmetrics_image.__file__).parent / "lpips_models"
"""The learned weights per channel, which torchmetrics brings with it."""

Backbone = Literal["alex", "vgg"]


def torchvision_features(backbone: Backbone) -> nn.Sequential:
    """Convolutional part of torchvision's AlexNet or VGG16, unfilled."""
    from torchvision import models

    if backbone == "alex":
        return models.alexnet(weights=None).features
    return models.vgg16(weights=None, init_weights=False).features


class LPIPSNetwork(nn.Module):
    """Backbone of torchvision and a weight per channel of each tapped layer."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.features = torchvision_features(backbone)
        self.taps = TAPS[backbone]
        self.weights = nn.ParameterList(
            nn.Parameter(torch.rand(1, channels, 1, 1)) for channels in CHANNELS[backbone]
        )

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        """Distances (B,) of RGB images (B, 3, H, W) in [0, 1]."""
        stack = torch.cat([image, reference]) * 2 - 1
        x = (stack - stack.new_tensor(SHIFT).view(1, 3, 1, 1)) / stack.new_tensor(SCALE).view(1, 3, 1, 1)
        distance = x.new_zeros(len(image))
        for i, layer in enumerate(self.features[: self.taps[-1] + 1]):
            x = layer(x)
            if i in self.taps:
                a, b = (x / (x.square().sum(1, keepdim=True) + 1e-8).sqrt()).chunk(2)
                weight = self.weights[self.taps.index(i)]
                distance = distance + ((a - b).square() * weight).sum(1).mean(dim=(1, 2))
        return distance


class _LPIPS(PairMetric):
    backbone: Backbone
    file: WebFile
    low, high = 0.0, float("inf")

    def __init__(self, weights: Path | None = None, pretrained: bool = True) -> None:
        super().__init__()
        self.network, self.unavailable = build_network(
            lambda: LPIPSNetwork(self.backbone), pretrained, lambda: self._load(weights)
        )

    def _load(self, weights: Path | None) -> Loaded:
        path = self.file.locate(weights)
        state = {k: v for k, v in read_tensors(path).items() if k.startswith("features.")}
        heads = read_tensors(HEADS / f"{self.backbone}.pth")
        return state | {f"weights.{i}": heads[f"lin{i}.model.1.weight"] for i in range(5)}, path

    def compare(self, restored: Tensor, reference: Tensor) -> Tensor:
        distance: Tensor = self.network.module(restored, reference)
        return distance


class LPIPSAlex(_LPIPS):
    """LPIPS with AlexNet (version 0.1), the published one.

    [0, about 1], lower is better. Takes RGB, whole image; the network sees [-1, 1], scaled by channel. Source: Zhang et
    al. 2018; learned weights from torchmetrics, backbone from torchvision.

    Args:
        weights: ``alexnet-owt-7be5be79.pth`` or its folder; by default the folder of weights, then torch's hub.
        pretrained: false gives fixed random weights.
    """

    title = "LPIPS"
    backbone: Backbone = "alex"
    file = ALEX


class LPIPSVGG(_LPIPS):
    """LPIPS with VGG16 (version 0.1).

    [0, about 1], lower is better. Takes RGB, whole image; the network sees [-1, 1], scaled by channel. Source: Zhang et
    al. 2018; learned weights from torchmetrics, backbone from torchvision.

    Args:
        weights: ``vgg16-397923af.pth`` or its folder; by default the folder of weights, then torch's hub.
        pretrained: false gives fixed random weights.
    """

    title = "LPIPS (VGG)"
    backbone: Backbone = "vgg"
    file = VGG
