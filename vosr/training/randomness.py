"""Random numbers of one optimizer step that do not depend on how its batch is split over ranks."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from vosr.core.seeds import generator_for

D = TypeVar("D")


@dataclass(frozen=True)
class StepRandom:
    """Random streams for the samples of one batch, and one for what all samples of the step share.

    A sample's stream depends on the seed, the step and the sample's key alone. So the same images draw the same
    numbers on one device or many, in one batch or accumulated over several, and in a resumed run.

    Args:
        seed: of the run.
        step: optimizer steps taken so far.
        keys: of the batch's images.
        device: of the samples' streams.
    """

    seed: int
    step: int
    keys: list[str]
    device: torch.device

    def shared(self, purpose: str) -> torch.Generator:
        """A stream (on the CPU) that is the same for every sample, rank and accumulated batch of the step."""
        return generator_for(purpose, self.seed, self.step)

    def samples(self, purpose: str, device: torch.device | str | None = None) -> list[torch.Generator]:
        """A stream for each sample; an image that is in the batch twice gets two."""
        seen: Counter[str] = Counter()
        streams = []
        for key in self.keys:
            streams.append(
                generator_for(purpose, self.seed, self.step, key, seen[key], device=device or self.device)
            )
            seen[key] += 1
        return streams

    def draw(self, purpose: str, draw: Callable[[Tensor, torch.Generator], D], like: Tensor) -> D:
        """A component's draws for the batch, each sample's from its own stream.

        Args:
            purpose: name of the streams.
            draw: takes a batch and its stream, gives a record; called with one sample at a time.
            like: the batch, (B, ...).

        Returns:
            The record with the samples' tensors along the first axis; other values are the first sample's.
        """
        drawn = [draw(one, stream) for one, stream in zip(like.split(1), self.samples(purpose))]
        return _together(drawn)


def _together(records: list[D]) -> D:
    first: Any = records[0]
    tensors = {
        field.name: torch.cat([getattr(record, field.name) for record in records])
        for field in fields(first)
        if isinstance(getattr(first, field.name), Tensor)
    }
    return replace(first, **tensors)
