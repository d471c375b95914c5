"""Pixels -> latents and semantics, by the frozen parts. Teacher, student and restorer share this object."""

from typing import Any

import torch
from torch import Tensor

from vosr.autoencoders import Autoencoder
from vosr.core.fingerprint import fingerprint
from vosr.core.frozen import FrozenModule
from vosr.core.registry import describe
from vosr.core.types import Condition, RandomSource
from vosr.encoders import Encoder

_PLACES = ("weights", "pretrained", "light_decoder")
"""Arguments that say where weights come from."""


class Conditioner(FrozenModule):
    """Frozen autoencoder and vision encoder.

    Args:
        autoencoder: pixels <-> latents.
        encoder: LQ -> semantics.

    Raises:
        ValueError: the autoencoder is not of RGB images.
    """

    def __init__(self, autoencoder: Autoencoder, encoder: Encoder) -> None:
        super().__init__()
        if autoencoder.image_channels != 3:
            raise ValueError(
                f"Restoration takes RGB images; this autoencoder is of {autoencoder.image_channels} channels."
            )
        self.autoencoder = autoencoder
        self.encoder = encoder
        self.freeze()

    def fingerprints(self) -> dict[str, str]:
        """Fingerprints of the weights of both parts; a part without weights has none."""
        found = {name: fingerprint(part) for name, part in self.named_children()}
        return {name: digits for name, digits in found.items() if digits}

    def encoding_records(self) -> dict[str, Any]:
        """Records of what decides latents and tokens, by part; where weights lie and how they decode does not."""
        records = {}
        for name, part in (("autoencoder", self.autoencoder), ("encoder", self.encoder)):
            record = describe(part)
            args = {key: value for key, value in record["args"].items() if key not in _PLACES}
            records[name] = record | {"args": args, "weights": fingerprint(part, without="decoder")}
        return records

    @torch.no_grad()
    def condition(
        self, lq: Tensor, sample: bool = False, generator: torch.Generator | None = None
    ) -> Condition:
        """Condition of ``lq`` (B, 3, H, W) in [0, 1], for inference."""
        return Condition(self.autoencoder.encode(lq * 2 - 1, sample, generator), self.encoder(lq))

    @torch.no_grad()
    def encode_pair(
        self, hq: Tensor, lq: Tensor, generator: RandomSource | None = None
    ) -> tuple[Tensor, Condition]:
        """HQ latent (B, C, h, w) and LQ condition for training: posterior samples, both images in one batch.

        Args:
            hq: (B, 3, H, W) in [0, 1].
            lq: same shape and range.
            generator: source of the posterior draws; a sequence has a stream for each HQ, then for each LQ.
        """
        latents = self.autoencoder.encode(torch.cat([hq, lq]) * 2 - 1, True, generator)
        clean, degraded = latents.chunk(2)
        return clean, Condition(degraded, self.encoder(lq))

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        """Image in [0, 1], (B, 3, H, W)."""
        return ((self.autoencoder.decode(latent) + 1) / 2).clamp(0, 1)
