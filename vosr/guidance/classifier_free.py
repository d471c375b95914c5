"""Ordinary classifier-free guidance, for comparison."""

import torch

from vosr.core.types import Condition
from vosr.guidance.base import Guidance, no_semantics


class ClassifierFreeGuidance(Guidance):
    """The ordinary unconditional branch: no LQ, no semantics.

    Args:
        scale: omega; larger follows the condition more.
        partial_probability: share of training samples without condition.
        fidelity_logit: noise augmentation of the LQ latent, alpha = sigmoid(fidelity_logit + N(0, 1)).
        interval: [t_start, t_end] where the scale applies; elsewhere it is 1.
    """

    def __init__(
        self,
        scale: float = 2.0,
        partial_probability: float = 0.1,
        fidelity_logit: float = 5.0,
        interval: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        super().__init__(scale, partial_probability, fidelity_logit, interval)

    def partial_condition(self, condition: Condition, strength: float | None = None) -> Condition:
        return Condition(torch.zeros_like(condition.latent), no_semantics(condition))
