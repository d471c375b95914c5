"""No guidance."""

from vosr.core.types import Condition
from vosr.guidance.base import Guidance


class NoGuidance(Guidance):
    """Full condition only: every sample sees the LQ and its semantics, one branch in sampling.

    Args:
        fidelity_logit: noise augmentation of the LQ latent, alpha = sigmoid(fidelity_logit + N(0, 1)).
    """

    def __init__(self, fidelity_logit: float = 5.0) -> None:
        super().__init__(1.0, 0.0, fidelity_logit, (0.0, 1.0))

    def partial_condition(self, condition: Condition, strength: float | None = None) -> None:
        return None
