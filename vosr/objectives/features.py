"""A perceptual loss on the features of any timm backbone."""

import torch
from torch import Tensor
from torch.nn import functional as F

from vosr.core.timm_features import TimmFeatures
from vosr.objectives.base import Loss
from vosr.objectives.image import ImageLoss

EPS = 1e-10


class FeatureLoss(ImageLoss):
    """Distance of unit-normalised features of a frozen timm backbone.

    This is LPIPS (Zhang et al. 2018) without its learned weights. At each layer the feature vectors of both images are
    divided by their length over the channels; squared differences are summed over channels, averaged over positions
    and summed over layers.

    Args:
        model: any name of ``timm.list_models()`` that returns intermediate features; VGG16 is the usual choice.
        layers: indices of the feature levels, from the finest.
        weights: file (in timm's names), folder or hub id; by default looked up and then downloaded.
        crop: side of a square cut from the middle of each image, in pixels, since early layers are costly; None takes
            all of it.
        pretrained: whether to load weights at all; false gives fixed random ones (for tests).

    Raises:
        ValueError: timm has no such model or level, or the weights do not fit.
        MissingWeightsError: no weights to be had.
    """

    def __init__(
        self,
        model: str = "vgg16",
        layers: tuple[int, ...] = (0, 1, 2, 3, 4),
        weights: str | None = None,
        crop: int | None = None,
        pretrained: bool = True,
    ) -> None:
        super().__init__()
        self.features = TimmFeatures(model, layers, weights, pretrained)
        self.crop = crop

    def forward(self, restored: Tensor, hq: Tensor) -> Loss:
        with torch.no_grad():
            wanted = self._features(hq)
        found = self._features(restored)
        levels = [(a - b).square().sum(1).mean() for a, b in zip(found, wanted)]
        distance = torch.stack(levels).sum()
        return Loss(distance, {"features": distance.detach()})

    def _features(self, image: Tensor) -> list[Tensor]:
        if self.crop is not None and self.crop < min(image.shape[-2:]):
            top, left = ((side - self.crop) // 2 for side in image.shape[-2:])
            image = image[..., top : top + self.crop, left : left + self.crop]
        return [F.normalize(level.float(), dim=1, eps=EPS) for level in self.features(image)]
