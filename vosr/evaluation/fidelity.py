"""Full-reference measures on the luma, as the super-resolution literature reports them (docs/method.md#protocol)."""

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure


def luma(image: Tensor) -> Tensor:
    """BT.601 luma with studio swing, (B, 1, H, W) in [16/255, 235/255], of RGB (B, 3, H, W) in [0, 1]."""
    weights = image.new_tensor([65.481, 128.553, 24.966]).view(1, 3, 1, 1)
    return ((image * weights).sum(1, keepdim=True) + 16) / 255


def psnr_y(image: Tensor, reference: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB on the luma, per image (B,). Images (B, 3, H, W) in [0, 1]."""
    error = (luma(image) - luma(reference)).square().mean(dim=(1, 2, 3))
    return -10 * torch.log10(error.clamp_min(1e-10))


def ssim_y(image: Tensor, reference: Tensor) -> Tensor:
    """Structural similarity on the luma, per image (B,): Gaussian window of 11 px, sigma 1.5."""
    value = structural_similarity_index_measure(
        luma(image), luma(reference), data_range=1.0, reduction="none", sigma=1.5, kernel_size=11
    )
    assert isinstance(value, Tensor)
    return value


def gradient_ratio(image: Tensor, reference: Tensor) -> Tensor:
    """Mean absolute horizontal and vertical difference over that of the reference, (B,); 1 is equally sharp."""
    return _mean_gradient(luma(image)) / _mean_gradient(luma(reference)).clamp_min(1e-8)


def _mean_gradient(image: Tensor) -> Tensor:
    horizontal = image.diff(dim=-1).abs().mean(dim=(1, 2, 3))
    return horizontal + image.diff(dim=-2).abs().mean(dim=(1, 2, 3))
