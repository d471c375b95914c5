"""Network of the image-only Qwen-Image VAE; parameter names as in diffusers' ``AutoencoderKLQwenImage``."""

from collections import OrderedDict
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ChannelNorm(nn.Module):
    """Each pixel's channel vector scaled to length sqrt(channels), times a learned gain; float32 inside."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x.float(), dim=1).to(x.dtype) * (x.shape[1] ** 0.5) * self.gamma


class Residual(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), with a 1 x 1 shortcut where the width changes."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(width_in)
        self.conv1 = nn.Conv2d(width_in, width_out, 3, padding=1)
        self.norm2 = ChannelNorm(width_out)
        self.conv2 = nn.Conv2d(width_out, width_out, 3, padding=1)
        self.conv_shortcut = nn.Identity() if width_in == width_out else nn.Conv2d(width_in, width_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return h + self.conv_shortcut(x)


class Attention(nn.Module):
    """Single-head self-attention over all positions, without ever forming the N x N scores."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(width)
        self.to_qkv = nn.Conv2d(width, 3 * width, 1)
        self.proj = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.to_qkv(self.norm(x)).flatten(2).mT.unsqueeze(1).chunk(3, dim=-1)  # (B, 1, hw, width)
        h = F.scaled_dot_product_attention(q.contiguous(), k.contiguous(), v.contiguous())
        return x + self.proj(h.squeeze(1).mT.reshape(x.shape))


class Middle(nn.Module):
    """Residual, attention, residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attentions = nn.ModuleList([Attention(width)])
        self.resnets = nn.ModuleList([Residual(width, width), Residual(width, width)])

    def forward(self, x: Tensor) -> Tensor:
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class Resample(nn.Module):
    """Half the size by a convolution padded right and below, or twice by nearest and a convolution."""

    def __init__(self, width_in: int, width_out: int, up: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Upsample(scale_factor=2.0, mode="nearest-exact")]
        layers.append(nn.Conv2d(width_in, width_out, 3, padding=1))
        if not up:
            layers = [nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(width_in, width_out, 3, stride=2)]
        self.resample = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.resample(x)


class UpBlock(nn.Module):
    """Residuals, then twice the size at half the width unless it is the last."""

    def __init__(self, width_in: int, width: int, residuals: int, last: bool) -> None:
        super().__init__()
        widths = [width_in, *[width] * residuals]
        self.resnets = nn.Sequential(*(Residual(a, b) for a, b in pairwise(widths)))
        self.upsamplers = nn.Sequential(*([] if last else [Resample(width, width // 2, up=True)]))

    def forward(self, x: Tensor) -> Tensor:
        return self.upsamplers(self.resnets(x))


class QwenEncoder(nn.Module):
    """(B, 3, H, W) -> moments (B, 2C, H / 8, W / 8)."""

    def __init__(self, widths: list[int], residuals: int, out_channels: int) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)
        blocks: list[nn.Module] = []
        width = widths[0]
        for level, wider in enumerate(widths):
            for _ in range(residuals):
                blocks.append(Residual(width, wider))
                width = wider
            if level < len(widths) - 1:
                blocks.append(Resample(width, width, up=False))
        self.down_blocks = nn.Sequential(*blocks)
        self.mid_block = Middle(width)
        self.norm_out = ChannelNorm(width)
        self.conv_out = nn.Conv2d(width, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mid_block(self.down_blocks(self.conv_in(x)))
        return self.conv_out(F.silu(self.norm_out(x)))


class QwenDecoder(nn.Module):
    """Latents (B, C, h, w) -> (B, 3, 8h, 8w)."""

    def __init__(self, widths: list[int], residuals: int, in_channels: int) -> None:
        super().__init__()
        widths = widths[::-1]
        self.conv_in = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.mid_block = Middle(widths[0])
        blocks, width = OrderedDict[str, nn.Module](), widths[0]
        for level, wider in enumerate(widths):
            blocks[str(level)] = UpBlock(width, wider, residuals + 1, last=level == len(widths) - 1)
            width = wider // 2
        self.up_blocks = nn.Sequential(blocks)
        self.norm_out = ChannelNorm(widths[-1])
        self.conv_out = nn.Conv2d(widths[-1], 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.up_blocks(self.mid_block(self.conv_in(x)))
        return self.conv_out(F.silu(self.norm_out(x)))


class QwenNetwork(nn.Module):
    """Encoder and decoder with their 1 x 1 convolutions around the latent.

    Args:
        base_dim: narrowest width.
        z_dim: latent channels C.
        dim_mult: width of each level over ``base_dim``; each level after the first halves the size.
        num_res_blocks: residual blocks a level in the encoder; the decoder has one more.
    """

    def __init__(self, base_dim: int, z_dim: int, dim_mult: list[int], num_res_blocks: int) -> None:
        super().__init__()
        widths = [base_dim * m for m in dim_mult]
        self.encoder = QwenEncoder(widths, num_res_blocks, 2 * z_dim)
        self.quant_conv = nn.Conv2d(2 * z_dim, 2 * z_dim, 1)
        self.post_quant_conv = nn.Conv2d(z_dim, z_dim, 1)
        self.decoder = QwenDecoder(widths, num_res_blocks, z_dim)

    def encode(self, image: Tensor) -> Tensor:
        """Moments of the posterior, (B, 2 * z_dim, h, w)."""
        return self.quant_conv(self.encoder(image))

    def decode(self, latent: Tensor) -> Tensor:
        """Image, not clamped."""
        return self.decoder(self.post_quant_conv(latent))
