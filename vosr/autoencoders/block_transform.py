"""The linear part of a residual autoencoder.

Deep compression autoencoders learn residuals of space-to-channel shortcuts (DC-AE, Chen et al. 2024, arXiv 2410.10733);
this shortcut spans the whole network, is learned too, and keeps the coefficients that matter in photographs.
"""

import torch
from torch import Tensor, nn

from vosr.autoencoders.dct import block_waves, coefficient_statistics, strongest


class BlockTransform(nn.Module):
    """Linear transform of blocks of pixels to coefficients and back; begins as the block cosine transform.

    At first ``synthesis(analysis(x))`` is the orthogonal projection of ``x`` on the coefficients with the largest
    std in photographs, and coefficients have about mean 0 and std 1. Always computed in float32.

    Args:
        channels: of the image.
        factor: side of a block in pixels.
        kept: coefficients C, at most ``channels * factor^2``.
    """

    def __init__(self, channels: int, factor: int, kept: int) -> None:
        super().__init__()
        self.to_coefficients = _Analysis(channels, kept, factor)
        self.to_image = _Synthesis(kept, channels, factor)

    def analysis(self, image: Tensor) -> Tensor:
        """Coefficients (B, C, h, w) of an image (B, channels, H, W) in [-1, 1]."""
        with torch.autocast(image.device.type, enabled=False):
            coefficients: Tensor = self.to_coefficients(image.float())
        return coefficients

    def synthesis(self, coefficients: Tensor) -> Tensor:
        """Image (B, channels, H, W) of coefficients (B, C, h, w)."""
        with torch.autocast(coefficients.device.type, enabled=False):
            image: Tensor = self.to_image(coefficients.float())
        return image


class _Analysis(nn.Conv2d):
    def __init__(self, channels: int, kept: int, factor: int) -> None:
        super().__init__(channels, kept, factor, stride=factor)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        basis, mean, std = _initial(self.in_channels, self.stride[0], self.out_channels)
        self.weight.copy_(basis / std.view(-1, 1, 1, 1))
        assert self.bias is not None
        self.bias.copy_(-mean / std)


class _Synthesis(nn.ConvTranspose2d):
    def __init__(self, kept: int, channels: int, factor: int) -> None:
        super().__init__(kept, channels, factor, stride=factor)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        basis, mean, std = _initial(self.out_channels, self.stride[0], self.in_channels)
        self.weight.copy_(basis * std.view(-1, 1, 1, 1))
        assert self.bias is not None
        self.bias.copy_(torch.einsum("k,kc->c", mean, basis[:, :, 0, 0]))  # only constant waves have a mean


def _initial(channels: int, size: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
    kept = strongest(count, channels, size)
    mean, std = coefficient_statistics(kept, size).unbind(1)
    return block_waves(kept, channels, size), mean, std
