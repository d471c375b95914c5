"""NIQE: how far the statistics of an image's blocks are from those of undistorted photographs."""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from vosr.metrics.base import ImageMetric
from vosr.metrics.protocol import BORDER, studio_luma, without_border

BLOCK = 96
PARAMETERS = Path(__file__).with_name("niqe.safetensors")
"""Mean (36,) and covariance (36, 36) of the features of undistorted photographs, as Mittal et al. published them."""

SHAPES = torch.arange(0.2, 10.001, 0.001, dtype=torch.float64)
"""Shape parameters that the fit chooses from."""

ROUNDING = 1e-9
"""Coefficients below it are rounding errors of flat areas."""

NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))


class NIQE(ImageMetric):
    """NIQE: distance of an image's local statistics from those of undistorted photographs, no reference.

    [0, inf), lower is better. Takes BT.601 luma of studio range rounded to 8 bits, border left out, in blocks of 96 px;
    images of fewer than two blocks have no value. Source: Mittal et al. 2013, with the published parameters; windows,
    reduction and rounding as in BasicSR 1.4.2. A generator's invented texture can lower it: never judge by it alone.

    Args:
        border: pixels left out at each side.
    """

    title = "NIQE"
    digits = 2
    low, high = 0.0, float("inf")
    needs_reference = False
    mean: Tensor
    covariance: Tensor

    def __init__(self, border: int = BORDER) -> None:
        super().__init__()
        self.border = border
        published = load_file(PARAMETERS)
        self.register_buffer("mean", published["mean"])
        self.register_buffer("covariance", published["covariance"])

    def score(self, restored: Tensor, reference: Tensor | None, lq: Tensor | None) -> Tensor:
        images = (studio_luma(without_border(restored, self.border).double()) * 255).round()
        return torch.stack([self.distance(block_features(image)) for image in images.split(1)])

    def distance(self, features: Tensor) -> Tensor:
        """Distance of one image's features (blocks, 36) from the published distribution."""
        whole = features[~features.isnan().any(dim=1)]
        if len(whole) < 2:
            return features.new_tensor(torch.nan)
        difference = features.nanmean(dim=0) - self.mean.to(features)
        spread = (whole.T.cov() + self.covariance.to(features)) / 2
        return (difference @ torch.linalg.pinv(spread, hermitian=True) @ difference).sqrt()


def block_features(image: Tensor) -> Tensor:
    """The 36 features of each block (blocks, 36), float64, of luma (1, 1, H, W) in [0, 255]; blocks do not overlap."""
    height, width = (side // BLOCK * BLOCK for side in image.shape[-2:])
    if not height or not width:
        return image.new_empty(0, 36)
    image = image[..., :height, :width]
    fine = _statistics(_normalised(image), BLOCK)
    coarse = _statistics(_normalised(_halved(image)), BLOCK // 2)
    return torch.cat([fine, coarse], dim=1)


def _normalised(image: Tensor) -> Tensor:
    """Mean-subtracted, contrast-normalised coefficients: Gaussian window of 7 px, sigma 7/6."""
    mean = _filtered(image)
    std = (_filtered(image.square()) - mean.square()).abs().sqrt()
    coefficients = (image - mean) / (std + 1)
    return coefficients * (
        coefficients.abs() > ROUNDING
    )  # flat is flat: the fit counts values of either sign


def _filtered(image: Tensor) -> Tensor:
    offset = torch.arange(-3, 4, dtype=image.dtype, device=image.device)
    window = torch.exp(-offset.square() / (2 * (7 / 6) ** 2))
    kernel = torch.outer(window, window)
    padded = F.pad(image, (3, 3, 3, 3), mode="replicate")
    return F.conv2d(padded, (kernel / kernel.sum())[None, None])


def _halved(image: Tensor) -> Tensor:
    """MATLAB's imresize by one half: the cubic kernel stretched to eight taps, edges mirrored with the edge pixel."""
    distance = torch.tensor([0.25, 0.75, 1.25, 1.75], dtype=image.dtype, device=image.device)
    near, far = distance[:2], distance[2:]
    taps = torch.cat([1.5 * near**3 - 2.5 * near**2 + 1, -0.5 * far**3 + 2.5 * far**2 - 4 * far + 2])
    kernel = torch.cat([taps.flip(0), taps])
    kernel = kernel / kernel.sum()
    for dim, shape in ((2, (1, 1, 8, 1)), (3, (1, 1, 1, 8))):
        length = image.shape[dim]
        before, after = image.narrow(dim, 0, 3).flip(dim), image.narrow(dim, length - 3, 3).flip(dim)
        stride = (2, 1) if dim == 2 else (1, 2)
        image = F.conv2d(torch.cat([before, image, after], dim), kernel.view(shape), stride=stride)
    return image


def _statistics(coefficients: Tensor, size: int) -> Tensor:
    """Eighteen features of each block (blocks, 18), blocks column by column."""
    blocks = coefficients[0, 0].unfold(0, size, size).unfold(1, size, size).transpose(0, 1).flatten(0, 1)
    shape, left, right = _asymmetric_fit(blocks)
    features = [shape, (left + right) / 2]
    for shift in NEIGHBOURS:
        shape, left, right = _asymmetric_fit(blocks * blocks.roll(shift, dims=(1, 2)))
        ratio = torch.exp(torch.lgamma(2 / shape) - torch.lgamma(1 / shape))
        features += [shape, (right - left) * ratio, left, right]
    return torch.stack(features, dim=1)


def _asymmetric_fit(blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Shape and both scales of the asymmetric generalised Gaussian of each block (blocks, h, w), by moments.

    A flat block has the first shape and scales of NaN, as in MATLAB's original.
    """
    values = blocks.flatten(1)
    left, right = (
        (values.square() * side).sum(1).div(side.sum(1)).sqrt() for side in (values < 0, values > 0)
    )
    ratio = left / right
    moment = values.abs().mean(1).square() / values.square().mean(1)
    moment = moment * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1).square()
    shapes = SHAPES.to(values)
    of_shape = torch.exp(2 * torch.lgamma(2 / shapes) - torch.lgamma(1 / shapes) - torch.lgamma(3 / shapes))
    nearest = shapes[(of_shape[None] - moment[:, None]).square().argmin(1)]
    scale = torch.exp((torch.lgamma(1 / nearest) - torch.lgamma(3 / nearest)) / 2)
    return nearest, left * scale, right * scale
