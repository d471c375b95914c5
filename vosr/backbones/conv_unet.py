"""A convolutional backbone for small machines: gated convolutions at two or three levels."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vosr.backbones.base import Backbone
from vosr.backbones.cell_pattern import without_cell_pattern
from vosr.backbones.detail_gate import detail_gate
from vosr.backbones.layers import TimeEmbedder, small_linears
from vosr.backbones.precondition import network_input, network_residual, network_velocity, velocity_to
from vosr.core.types import PreparedSemantics

EPS = 1e-6


class ConvUNet(Backbone):
    """U-Net of time-modulated gated convolutions, for small machines and compact models.

    The block follows NAFNet (Chen et al. 2022): normalisation, convolution to twice the width, product of the two
    halves, projection. Dense 3 x 3 convolutions stand in for its pointwise and depthwise pair, since processors run
    them several times nearer to their peak; nothing pools over the whole image, so that a tile gives what the image
    gives. Time (and end time) modulate every block as in LightningDiT (docs/method.md#backbone). Semantics enter
    as a map: tokens on their square grid, projected, enlarged to the coarsest level and applied there as scale and
    shift (FiLM); all-zero semantics, the partial condition, give the same scale and shift everywhere.

    The network predicts the clean latent as a residual around the LQ latent, see
    :mod:`vosr.backbones.precondition`.

    Args:
        latent_channels: C of the autoencoder.
        semantic_dim: Z of the encoder; 0 for no semantics.
        widths: channels of each level, from the finest; each level halves the grid.
        blocks: blocks of each level: shared out before and after the coarser levels, the last level has them in a row.
        end_time: build the embedder of the end time r.
        residual_std: std of the clean latent's difference to the LQ latent.
        pixel_factor: of latents that are unshuffled pixels, the factor of the unshuffling: the residual is then zero
            where the LQ image has no detail (:mod:`vosr.backbones.detail_gate`) and keeps no pattern that all cells
            share (:mod:`vosr.backbones.cell_pattern`). 0 for other latents.

    Raises:
        ValueError: no level, or as many counts as widths are not given; ``pixel_factor`` does not fit the latents.
    """

    def __init__(
        self,
        latent_channels: int,
        semantic_dim: int,
        widths: tuple[int, ...] = (64, 128),
        blocks: tuple[int, ...] = (8, 6),
        end_time: bool = False,
        residual_std: float = 0.25,
        pixel_factor: int = 0,
    ) -> None:
        super().__init__()
        if not widths or len(widths) != len(blocks) or min(*widths, *blocks) < 1:
            raise ValueError(
                f"widths and blocks must be one positive number a level, not {widths} and {blocks}."
            )
        if pixel_factor and latent_channels % pixel_factor**2:
            raise ValueError(
                f"pixel_factor {pixel_factor} needs latents of unshuffled pixels, {pixel_factor**2} channels a colour, "
                f"not {latent_channels} channels; leave it 0 for other autoencoders."
            )
        self.latent_channels = latent_channels
        self.pixel_factor = pixel_factor
        self.patch_size = 2 ** (len(widths) - 1)
        self.end_time = end_time
        self.width = widths[0]
        self.residual_std = residual_std
        deepest = widths[-1]
        self.t_embedder = TimeEmbedder(deepest)
        self.r_embedder = TimeEmbedder(deepest) if end_time else None
        self.modulation = nn.ModuleList(nn.Linear(deepest, 3 * width) for width in widths)
        self.semantics = SemanticMap(semantic_dim, deepest) if semantic_dim else None
        self.head = nn.Conv2d(2 * latent_channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(widths))
        self.order = [(level, count - count // 2) for level, count in enumerate(blocks[:-1])]
        self.order += [(len(widths) - 1, blocks[-1])]
        self.order += [(level, count // 2) for level, count in reversed(list(enumerate(blocks[:-1])))]
        self.blocks = nn.ModuleList(
            GatedConv(widths[level]) for level, count in self.order for _ in range(count)
        )
        self.tail = nn.Conv2d(widths[0], latent_channels, 3, padding=1)
        if not self.head.weight.is_meta:  # there is nothing to fill, and torch would load its compiler for it
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw initial weights: the output is zero, so the first prediction is the LQ latent itself at t = 1."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear | nn.LayerNorm):
                module.reset_parameters()
            elif isinstance(module, GatedConv):
                nn.init.zeros_(module.table)
        for embedder in filter(None, (self.t_embedder, self.r_embedder)):
            small_linears(embedder, std=0.02)
        small_linears(self.modulation, std=0.02)
        if self.semantics is not None:
            nn.init.zeros_(self.semantics.film.weight)
            nn.init.zeros_(self.semantics.film.bias)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def forward(
        self, x: Tensor, t: Tensor, semantics: Tensor | PreparedSemantics, r: Tensor | None = None
    ) -> Tensor:
        """See :meth:`vosr.backbones.base.Backbone.forward`.

        Raises:
            ValueError: an end time was given to a model without one, or the latent does not divide into the levels.
        """
        assert isinstance(semantics, Tensor), "this backbone prepares nothing"
        if x.shape[-2] % self.patch_size or x.shape[-1] % self.patch_size:
            raise ValueError(
                f"Latent {tuple(x.shape[-2:])} must be padded to multiples of {self.patch_size}."
            )
        c = F.silu(self._time(t, r))
        y = self.head(network_input(x, t, self.residual_std).contiguous(memory_format=torch.channels_last))
        modulation = [layer(c).unflatten(1, (3, -1)) for layer in self.modulation]
        skips: list[Tensor] = []
        blocks = iter(self.blocks)
        deepest = len(modulation) - 1
        for stage, (level, count) in enumerate(self.order):
            if stage > deepest:
                y = F.pixel_shuffle(self.up[level](y), 2) + skips.pop()
            if level == deepest and self.semantics is not None:
                y = self.semantics(y, semantics)
            for _ in range(count):
                y = next(blocks)(y, modulation[level])
            if stage < deepest:
                skips.append(y)
                y = self.down[level](y)
        out = self.tail(y)
        if not self.pixel_factor:
            return network_velocity(x, t, out, self.residual_std)
        residual = network_residual(x, t, out, self.residual_std)
        return velocity_to(x, t, self._shown(residual, x[:, : self.latent_channels]))

    def _shown(self, residual: Tensor, lq: Tensor) -> Tensor:
        """The residual where the LQ image has detail, without the pattern that all cells share."""
        gate = detail_gate(lq, self.pixel_factor).to(residual.dtype)
        scaled = residual * gate / self.residual_std
        period = self.pixel_factor * self.patch_size
        cleaned = without_cell_pattern(scaled, lq, self.residual_std, self.pixel_factor, period)
        # nor does a pattern of busy cells go where there is none
        return self.residual_std * torch.lerp(scaled, cleaned, gate)

    def _time(self, t: Tensor, r: Tensor | None) -> Tensor:
        c = self.t_embedder(t)
        if self.r_embedder is not None:
            r = t if r is None else r
            return c + (t - r)[:, None].to(c.dtype) * self.r_embedder(r)
        if r is not None:
            raise ValueError("This backbone takes no end time r; build it with end_time=True.")
        return c


class GatedConv(nn.Module):
    """x + gate * project(a * b) with [a, b] = conv3x3(norm(x) * (1 + scale) + shift); (B, D, h, w) both ways."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.table = nn.Parameter(torch.zeros(3, width))
        self.conv = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.project = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """Args: features and the (B, 3, D) shift, scale and gate that time gives to all blocks of the level."""
        shift, scale, gate = (self.table + modulation).to(x.dtype)[..., None, None].unbind(1)
        a, b = self.conv(torch.addcmul(shift, _over_channels(self.norm, x), 1 + scale)).chunk(2, dim=1)
        return torch.addcmul(x, 1 + gate, self.project(a * b))


class SemanticMap(nn.Module):
    """Tokens (B, M, Z) of a square grid as scale and shift of features (B, D, h, w)."""

    def __init__(self, semantic_dim: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(semantic_dim)
        self.hidden = nn.Linear(semantic_dim, width)
        self.film = nn.Linear(width, 2 * width)

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        side = int(tokens.shape[1] ** 0.5)
        if side**2 != tokens.shape[1]:
            raise ValueError(f"Semantics must lie on a square grid, not {tokens.shape[1]} tokens.")
        film = self.film(F.gelu(self.hidden(self.norm(tokens.to(self.norm.weight.dtype)))))
        grid = film.mT.unflatten(2, (side, side)).float()
        film = F.interpolate(grid, size=x.shape[-2:], mode="bilinear", align_corners=False)
        scale, shift = film.to(x.dtype).contiguous(memory_format=torch.channels_last).chunk(2, dim=1)
        return x * (1 + scale) + shift


def _over_channels(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """``norm`` over the channels of (B, D, h, w), in the dtype of ``x``: autocast would compute it in float32."""
    with torch.autocast(x.device.type, enabled=False):
        weight, bias = norm.weight.to(x.dtype), norm.bias.to(x.dtype)
        return F.layer_norm(x.permute(0, 2, 3, 1), norm.normalized_shape, weight, bias, norm.eps).permute(
            0, 3, 1, 2
        )
