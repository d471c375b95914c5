"""What is planned: one training run on given machines."""

from dataclasses import dataclass
from typing import Literal

import torch

from vosr.training.recomputation import Checkpointing

Strategy = Literal["single", "ddp", "fsdp"]


@dataclass(frozen=True)
class TrainingJob:
    """The part of a training configuration that costs are made of.

    Attributes:
        strategy: "single" process, replicas ("ddp") or shards ("fsdp", FSDP2).
        nodes: hosts.
        devices: accelerators per host, one rank each.
        batch_size: images per rank and backward pass.
        crop_size: their side in pixels.
        accumulate: backward passes per optimizer step.
        max_steps: optimizer steps of the run.
        precision: one of Lightning's.
        checkpointing: activation checkpointing: of all blocks, a share of them, or of all but for attention.
        copies: under "fsdp", of the sharded model; consecutive ranks hold one.
        half_gather: under "fsdp", weights travel and compute in bfloat16 instead of float32.
        reshard: under "fsdp", gathered weights of all blocks but the last are freed between forward and backward.
    """

    strategy: Strategy = "single"
    nodes: int = 1
    devices: int = 1
    batch_size: int = 1
    crop_size: int = 256
    accumulate: int = 1
    max_steps: int = 1
    precision: str = "bf16-mixed"
    checkpointing: Checkpointing = False
    half_gather: bool = False
    reshard: bool = True
    copies: int = 1

    @property
    def ranks(self) -> int:
        """Processes in all."""
        return self.nodes * self.devices

    @property
    def shards(self) -> int:
        """Ranks over which the model is split under "fsdp"."""
        return self.ranks // self.copies

    @property
    def global_batch(self) -> int:
        """Images per optimizer step."""
        return self.batch_size * self.ranks * self.accumulate


def half_type(precision: str) -> torch.dtype | None:
    """The half type of one of Lightning's precisions; None for full precision.

    Raises:
        ValueError: a precision that cannot be planned.
    """
    kinds = {"32": None, "16": torch.float16, "bf16": torch.bfloat16}
    kind, _, how = precision.partition("-")
    if kind not in kinds or how not in ("true", "mixed"):
        raise ValueError(f"Cannot plan trainer.precision {precision!r}; use bf16-mixed, 16-mixed or 32-true.")
    return kinds[kind]
