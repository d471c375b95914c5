"""Restoration-oriented guidance, the paper's (docs/method.md#partial-condition)."""

import torch

from vosr.core.types import Condition
from vosr.guidance.base import Guidance, no_semantics


class RestorationGuidance(Guidance):
    """The partial branch keeps a faint anchor on the LQ latent and sees no semantics.

    Larger scales are more faithful, smaller ones more generative (the reverse of classifier-free guidance); the
    useful range is -0.5 to 2.

    Args:
        scale: omega; the paper uses -0.5 on RealSR and 0.5 on ScreenSR.
        partial_strength: s of the anchor s * lq in sampling and in distillation targets.
        partial_strength_range: s is drawn from this range once a training step.
        partial_probability: share of training samples that take the partial condition.
        fidelity_logit: noise augmentation of the LQ latent, alpha = sigmoid(fidelity_logit + N(0, 1)).
        interval: [t_start, t_end] where the scale applies; elsewhere it is 1.
    """

    def __init__(
        self,
        scale: float = 0.5,
        partial_strength: float = 0.1,
        partial_strength_range: tuple[float, float] = (0.05, 0.25),
        partial_probability: float = 0.1,
        fidelity_logit: float = 5.0,
        interval: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        super().__init__(scale, partial_probability, fidelity_logit, interval)
        if not 0 <= partial_strength_range[0] <= partial_strength_range[1] <= 1:
            raise ValueError(
                f"partial_strength_range must be 0 <= low <= high <= 1, not {partial_strength_range}."
            )
        self.partial_strength = partial_strength
        self.partial_strength_range = partial_strength_range

    def draw_strength(self, generator: torch.Generator | None) -> float:
        low, high = self.partial_strength_range
        device = generator.device if generator is not None else "cpu"
        return low + (high - low) * float(torch.rand((), generator=generator, device=device))

    def partial_condition(self, condition: Condition, strength: float | None = None) -> Condition:
        strength = self.partial_strength if strength is None else strength
        return Condition(strength * condition.latent, no_semantics(condition))
