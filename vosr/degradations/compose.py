"""Degradations made of degradations: in sequence, in random order, or one of several."""

import math
from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from vosr.degradations.base import Degradation, DegradationParams, check_images, to_8_bits
from vosr.degradations.checks import check_probability
from vosr.degradations.draws import Draws


@dataclass(frozen=True)
class CompositeParams(DegradationParams):
    """Which step happens when (B, times), -1 is none, and the parameters of every step."""

    plan: Tensor
    steps: tuple[DegradationParams, ...]


class Composite(Degradation):
    """Applies its steps to the images of a batch, each image by a plan of its own.

    Between steps images are rounded to 8 bits, as files between programs are.
    """

    def __init__(self, steps: list[Degradation]) -> None:
        if not steps:
            raise ValueError("steps must name at least one degradation.")
        self.steps = steps
        self.scale = math.lcm(*(step.scale for step in steps))

    @abstractmethod
    def plan(self, draws: Draws) -> Tensor:
        """Which step happens when, int64 (B, times); -1 is none."""

    def sample(self, batch_size: int, generator: torch.Generator | None = None) -> CompositeParams:
        plan = self.plan(Draws(batch_size, generator))
        return CompositeParams(plan, tuple(step.sample(batch_size, generator) for step in self.steps))

    def apply(self, hq: Tensor, params: CompositeParams) -> Tensor:  # type: ignore[override]
        check_images(hq, self.scale)
        image = to_8_bits(hq)
        for turn in params.plan.unbind(1):
            for number in turn.unique().tolist():
                if number >= 0:
                    chosen = (turn == number).nonzero()[:, 0]
                    index = chosen.to(hq.device, non_blocking=True)
                    changed = self.steps[number].apply(image[index], params.steps[number].select(chosen))
                    image = image.index_copy(0, index, changed)
        return image


class Sequence(Composite):
    """Applies its steps in order, each with its probability.

    Args:
        steps: degradations, in order.
        probabilities: of each step; always, if not given.
    """

    def __init__(self, steps: list[Degradation], probabilities: list[float] | None = None) -> None:
        super().__init__(steps)
        self.probabilities = _matching("probabilities", probabilities, steps)

    def plan(self, draws: Draws) -> Tensor:
        happens = torch.stack([draws.happens(p) for p in self.probabilities], dim=1)
        return torch.where(happens, torch.arange(len(self.steps)), -1)


class Shuffle(Composite):
    """Applies its steps in a random order, each with its probability.

    Args:
        steps: degradations.
        probabilities: of each step; always, if not given.
    """

    def __init__(self, steps: list[Degradation], probabilities: list[float] | None = None) -> None:
        super().__init__(steps)
        self.probabilities = _matching("probabilities", probabilities, steps)

    def plan(self, draws: Draws) -> Tensor:
        happens = torch.stack([draws.happens(p) for p in self.probabilities], dim=1)
        order = torch.stack([draws.uniform() for _ in self.steps], dim=1).argsort(dim=1)
        return torch.where(happens, torch.arange(len(self.steps)), -1).gather(1, order)


class Choice(Composite):
    """Applies one of its steps, drawn for each image.

    Args:
        steps: degradations.
        weights: relative frequency of each; equal, if not given.
    """

    def __init__(self, steps: list[Degradation], weights: list[float] | None = None) -> None:
        super().__init__(steps)
        self.weights = [1.0] * len(steps) if weights is None else list(weights)
        if len(self.weights) != len(steps) or min(self.weights) < 0 or sum(self.weights) <= 0:
            raise ValueError(f"weights must be {len(steps)} numbers of which one is positive, not {weights}.")

    def plan(self, draws: Draws) -> Tensor:
        return draws.choice(tuple(self.weights))[:, None]


def _matching(name: str, given: list[float] | None, steps: list[Degradation]) -> list[float]:
    values = [1.0] * len(steps) if given is None else list(given)
    if len(values) != len(steps):
        raise ValueError(f"{name} must be {len(steps)} numbers, one for each step, not {len(values)}.")
    for value in values:
        check_probability(name, value)
    return values
