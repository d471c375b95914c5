"""Models of known sizes with random weights, for the benchmarks of speed."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from vosr.autoencoders import AUTOENCODERS
from vosr.backbones import LightningDiT
from vosr.encoders.dinov2 import DINOv2
from vosr.guidance import RestorationGuidance
from vosr.model import Conditioner, ModelCard, RestorationModel, Sampling


@dataclass(frozen=True)
class Size:
    """A model and the crops that it trains on."""

    autoencoder: str
    encoder: dict[str, Any]
    backbone: dict[str, int]
    crop: int
    batch: int


SIZES = {
    "small": Size(
        "sd2", {"size": "s", "block": 8}, {"width": 384, "depth": 12, "heads": 6, "latent_grid": 32}, 256, 4
    ),
    "0.5b": Size("sd2", {"size": "b", "block": 8}, {"width": 1024, "depth": 28, "heads": 16}, 512, 8),
    "1.4b": Size("qwen", {"size": "l", "block": 17}, {"width": 1536, "depth": 36, "heads": 24}, 512, 4),
}
"""``small`` is the size of docs/performance.md's first table: 32 x 32 x 4 latents, 1024 tokens of 384."""


def conditioner_parts(size: Size) -> dict[str, Any]:
    """Autoencoder and encoder."""
    return {
        "autoencoder": AUTOENCODERS.build(size.autoencoder, pretrained=False),
        "encoder": DINOv2(**size.encoder, pretrained=False),
    }


def model_of(size: Size, kind: str) -> RestorationModel:
    """A complete teacher or student whose velocities are not zero."""
    torch.manual_seed(0)
    parts = conditioner_parts(size)
    backbone = LightningDiT(
        parts["autoencoder"].latent_channels,
        parts["encoder"].dim,
        end_time=kind == "student",
        **size.backbone,
    )
    nn.init.normal_(backbone.final_layer.linear.weight, std=0.02)
    card = ModelCard("student" if kind == "student" else "teacher", training_size=size.crop)
    return RestorationModel(Conditioner(**parts), backbone, RestorationGuidance(), Sampling(1), card)


def matmul_peak(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a large square matrix product here: what a perfect step could reach."""
    from vosr.core.phases import Phases, clock_of

    side = 8192 if device.type == "cuda" else 1024
    a, b = torch.randn(2, side, side, device=device).to(dtype)
    best = float("inf")
    for _ in range(8):
        phases = Phases()
        phases.start(clock_of(device))
        with phases("product"):
            torch.mm(a, b)
        best = min(best, phases.take()["product"])
    return 2 * side**3 / best
