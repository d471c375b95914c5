"""The vision encoders' resize: part of the released models."""

from torch import Tensor
from torch.nn import functional as F


def resize_square(image: Tensor, size: int) -> Tensor:
    """Bicubic without antialias to (B, 3, size, size), clipped to [0, 1] (docs/method.md#inputs)."""
    if image.shape[-2:] != (size, size):
        image = F.interpolate(image, size=(size, size), mode="bicubic", align_corners=False)
    return image.clamp(0, 1)
