"""LightningDiT with cross-attention to frozen semantics (docs/method.md#backbone)."""

from typing import Literal, cast

import torch
from torch import Tensor, nn

from vosr.backbones.base import Backbone
from vosr.backbones.layers import (
    Block,
    FinalLayer,
    PatchEmbed,
    SemanticProjection,
    TimeEmbedder,
    small_linears,
)
from vosr.backbones.precondition import network_input, network_velocity
from vosr.backbones.rope import rescaled_angles, rotary_angles
from vosr.backbones.semantics import Context, SemanticsKV, Tokens, without_copies
from vosr.core.types import PreparedSemantics

ROTARY_THETA = 10_000.0


class LightningDiT(Backbone):
    """Diffusion transformer of the paper: RMSNorm, SwiGLU, rotary positions, one shared modulation.

    Args:
        latent_channels: C, set by the autoencoder.
        semantic_dim: Z, set by the encoder.
        width: D; a multiple of ``heads``.
        depth: number of blocks.
        heads: attention heads; the head width must be a multiple of 4 (two axes, channel pairs).
        patch_size: latent cells per token and axis.
        latent_grid: side of the latent grid at training, the range that rotary positions are learned on.
        mlp_ratio: SwiGLU hidden width over D, before the usual factor 2/3.
        semantic_ratio: hidden width of the semantic projection over D.
        rotary: "rescaled" squeezes the positions of another grid into the trained range (the released models);
            "absolute" keeps the distance between neighbours, for models that see several sizes.
        end_time: also take an end time r (a student); identical to the model without it wherever r = t.
        prediction: "velocity" is what the network gives (the released models); "residual" lets it give the
            difference of the clean latent to the LQ latent, from which the velocity follows (see
            :mod:`vosr.backbones.precondition`): small models learn much faster.
        residual_std: std of that difference, for "residual".
    """

    def __init__(
        self,
        latent_channels: int,
        semantic_dim: int,
        width: int = 1024,
        depth: int = 28,
        heads: int = 16,
        patch_size: int = 2,
        latent_grid: int = 64,
        mlp_ratio: float = 4.0,
        semantic_ratio: int = 3,
        rotary: Literal["rescaled", "absolute"] = "rescaled",
        end_time: bool = False,
        prediction: Literal["velocity", "residual"] = "velocity",
        residual_std: float = 0.5,
    ) -> None:
        super().__init__()
        if width % heads or (width // heads) % 4:
            raise ValueError(
                f"width {width} / heads {heads} must be a whole multiple of 4; change one of them."
            )
        if latent_grid % patch_size:
            raise ValueError(f"latent_grid {latent_grid} must be a multiple of patch_size {patch_size}.")
        self.latent_channels = latent_channels
        self.width = width
        self.patch_size = patch_size
        self.end_time = end_time
        self.rotary = rotary
        self.prediction = prediction
        self.residual_std = residual_std
        self.head_dim = width // heads
        self.trained_tokens = latent_grid // patch_size
        self.x_embedder = PatchEmbed(2 * latent_channels, patch_size, width)
        self.t_embedder = TimeEmbedder(width)
        self.r_embedder = TimeEmbedder(width) if end_time else None
        self.t_block = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.layer_norm = nn.LayerNorm(semantic_dim)
        self.mlp_ca = SemanticProjection(semantic_dim, width, semantic_ratio)
        self.blocks = nn.ModuleList(Block(width, heads, mlp_ratio) for _ in range(depth))
        self.final_layer = FinalLayer(width, patch_size**2 * latent_channels)
        if not self.layer_norm.weight.is_meta:  # there is nothing to fill, and it would take seconds
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise as the paper: xavier-uniform linears, small time networks, a final layer that gives zero."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.RMSNorm | nn.LayerNorm):
                module.reset_parameters()
            elif isinstance(module, Block):
                nn.init.normal_(module.scale_shift_table, std=module.scale_shift_table.shape[1] ** -0.5)
        projection = self.x_embedder.proj
        nn.init.xavier_uniform_(projection.weight.flatten(1))
        if projection.bias is not None:
            nn.init.zeros_(projection.bias)
        for embedder in filter(None, (self.t_embedder, self.r_embedder)):
            small_linears(embedder, std=0.02)
        small_linears(self.t_block, std=0.02)
        small_linears(self.final_layer, std=0.0)

    def prepare(self, semantics: Tensor) -> SemanticsKV:
        """Keys and values of every block; one vector a block where all tokens are equal and no gradient is wanted."""
        tokens = without_copies(semantics)
        if self.prepares_inside:
            return SemanticsKV((tokens,))
        projected = self._projected(tokens)
        attentions = [cast(Block, block).cross_attn for block in self.blocks]
        return SemanticsKV((tuple(attention.context(projected) for attention in attentions),))

    def forward(
        self, x: Tensor, t: Tensor, semantics: Tensor | PreparedSemantics, r: Tensor | None = None
    ) -> Tensor:
        """See :meth:`vosr.backbones.base.Backbone.forward`.

        Raises:
            ValueError: an end time was given to a model without one, or the latent does not fit the patches.
        """
        height, width = x.shape[-2] // self.patch_size, x.shape[-1] // self.patch_size
        if (height * self.patch_size, width * self.patch_size) != tuple(x.shape[-2:]):
            raise ValueError(
                f"Latent {tuple(x.shape[-2:])} must be padded to multiples of {self.patch_size}."
            )
        angles = self.angles(height, width, x.device)
        turn = torch.stack([angles.cos(), angles.sin()], dim=-1)
        c = self._time(t, r)
        modulation = self.t_block(c).unflatten(1, (6, -1))
        residual = self.prediction == "residual"
        tokens = self.x_embedder(network_input(x, t, self.residual_std) if residual else x)
        for block, contexts in zip(self.blocks, self._contexts(semantics)):
            tokens = block(tokens, modulation, contexts, turn)
        out = self._unpatchify(self.final_layer(tokens, c), height, width)
        return network_velocity(x, t, out, self.residual_std) if residual else out

    def _projected(self, semantics: Tokens) -> Tokens:
        tokens = semantics.tokens.to(self.layer_norm.weight.dtype)
        return semantics._replace(tokens=self.mlp_ca(self.layer_norm(tokens)))

    def _contexts(self, semantics: Tensor | PreparedSemantics) -> list[tuple[Context, ...]]:
        """For each block, what its cross-attention needs of each segment of the batch."""
        if isinstance(semantics, Tensor):
            semantics = SemanticsKV((Tokens(semantics),))
        assert isinstance(semantics, SemanticsKV)
        by_segment = []
        for segment in semantics.segments:
            if isinstance(segment, Tokens):
                segment = (self._projected(segment),) * len(self.blocks)
            by_segment.append(segment)
        return list(zip(*by_segment))

    def _time(self, t: Tensor, r: Tensor | None) -> Tensor:
        c = self.t_embedder(t)
        if self.r_embedder is not None:
            r = t if r is None else r
            c = c + (t - r)[:, None].to(c.dtype) * self.r_embedder(r)
        elif r is not None:
            raise ValueError("This backbone takes no end time r; build it with end_time=True.")
        return c

    def angles(self, height: int, width: int, device: torch.device) -> Tensor:
        """Angle of every channel pair at every token of a grid, float32 (height * width, head_dim / 2)."""
        if self.rotary == "absolute":
            return rotary_angles(height, width, self.head_dim, ROTARY_THETA, device)
        return rescaled_angles(height, width, self.trained_tokens, self.head_dim, ROTARY_THETA, device)

    def _unpatchify(self, x: Tensor, height: int, width: int) -> Tensor:
        p = self.patch_size
        x = x.view(x.shape[0], height, width, p, p, self.latent_channels)
        return x.permute(0, 5, 1, 3, 2, 4).reshape(x.shape[0], self.latent_channels, height * p, width * p)
