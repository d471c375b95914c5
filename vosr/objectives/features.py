"""A perceptual loss on the features of any timm backbone."""

import torch
from torch import Tensor
from torch.nn import functional as F

from vosr.frozen import FrozenModule
from vosr.objectives.base import Loss
from vosr.objectives.picture import PictureLoss
from vosr.timm_models import create_timm, read_timm_weights, timm_config
from vosr.weights import on_meta, random_module

EPS = 1e-10


class FeatureLoss(PictureLoss):
    """Distance of unit-normalised features of a frozen timm backbone.

    This is LPIPS (Zhang et al. 2018) without its learned weights. At each layer the feature vectors of both images are
    divided by their length over the channels; squared differences are summed over channels, averaged over positions
    and summed over layers.

    Args:
        model: any name of ``timm.list_models()`` that returns intermediate features; VGG16 is the usual choice.
        layers: indices of the feature levels, from the finest.
        weights: file, folder or hub id; by default looked up and then downloaded.
        crop: side of a square cut from the middle of each image, in pixels, since early layers are costly; None takes
            all of it.
        pretrained: whether to load weights at all; false gives fixed random ones (for tests).

    Raises:
        ValueError: timm has no such model or level, or the weights do not fit.
        MissingWeightsError: no weights to be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        model: str = "vgg16",
        layers: tuple[int, ...] = (0, 1, 2, 3, 4),
        weights: str | None = None,
        crop: int | None = None,
        pretrained: bool = True,
    ) -> None:
        super().__init__()
        config = timm_config(model)
        state = read_timm_weights(model, config, weights) if pretrained and not on_meta() else None
        network = random_module(lambda: create_timm(model, {}, state))
        levels = len(network.feature_info)  # type: ignore[arg-type]
        if not layers or not all(0 <= layer < levels for layer in layers):
            raise ValueError(f"layers must be 0 to {levels - 1} for {model}, not {layers}.")
        self.layers = list(layers)
        self.crop = crop
        self.features = FrozenFeatures(network)
        self.register_buffer("mean", torch.tensor(config["mean"]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config["std"]).view(3, 1, 1), persistent=False)

    def forward(self, restored: Tensor, hq: Tensor) -> Loss:
        with torch.no_grad():
            wanted = self._features(hq)
        distance = torch.stack(
            [(a - b).square().sum(1).mean() for a, b in zip(self._features(restored), wanted)]
        ).sum()
        return Loss(distance, {"features": distance.detach()})

    def _features(self, image: Tensor) -> list[Tensor]:
        if self.crop is not None and self.crop < min(image.shape[-2:]):
            top, left = ((side - self.crop) // 2 for side in image.shape[-2:])
            image = image[..., top : top + self.crop, left : left + self.crop]
        image = ((image - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        found = self.features(image, self.layers)
        return [F.normalize(level.float(), dim=1, eps=EPS) for level in found]


class FrozenFeatures(FrozenModule):
    """Holds a backbone out of training and gives its intermediate features, (B, D, h, w) each."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.freeze()

    def forward(self, image: Tensor, layers: list[int]) -> list[Tensor]:
        found: list[Tensor] = self.network.forward_intermediates(  # type: ignore[operator]
            image, indices=layers, stop_early=True, output_fmt="NCHW", intermediates_only=True
        )
        return found
