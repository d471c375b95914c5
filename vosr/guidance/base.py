"""Interface of a guidance: mixing of conditions in training, their combination in sampling.

See docs/method.md#partial-condition.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vosr.core.registry import Component
from vosr.core.types import Condition
from vosr.flow import per_sample

ConditionedVelocity = Callable[[Tensor, Tensor, Condition], Tensor]
"""(z_t, t, condition) -> velocity of the model under that condition."""


@dataclass(frozen=True)
class ConditionDraw:
    """Random numbers of one training step.

    Attributes:
        noise: (B, C, h, w), added lightly to the LQ latent.
        fidelity: alpha in (0, 1), (B,): share of the LQ latent that is kept, alpha * lq + sqrt(1 - alpha^2) * n.
        partial: bool (B,), samples that take the partial condition.
        partial_strength: s, one number for the step.
    """

    noise: Tensor
    fidelity: Tensor
    partial: Tensor
    partial_strength: float


class Guidance(Component, ABC):
    """Mixes full and partial conditions, and extrapolates between the two velocities they give.

    Args:
        scale: omega in v = v_partial + omega * (v_full - v_partial); 1 uses the full condition alone.
        partial_probability: share of training samples that take the partial condition.
        fidelity_logit: the LQ latent's noise augmentation draws alpha = sigmoid(fidelity_logit + N(0, 1)).
        interval: [t_start, t_end] where ``scale`` applies; elsewhere it is 1.
    """

    def __init__(
        self,
        scale: float,
        partial_probability: float,
        fidelity_logit: float,
        interval: tuple[float, float],
    ) -> None:
        if not 0 <= partial_probability <= 1:
            raise ValueError(f"partial_probability must be in [0, 1], not {partial_probability}.")
        if not 0 <= interval[0] <= interval[1] <= 1:
            raise ValueError(f"interval must be 0 <= t_start <= t_end <= 1, not {interval}.")
        self.scale = scale
        self.partial_probability = partial_probability
        self.fidelity_logit = fidelity_logit
        self.interval = interval

    @abstractmethod
    def partial_condition(self, condition: Condition, strength: float | None = None) -> Condition | None:
        """The partial branch's condition, or None where there is no such branch.

        Semantics that it lacks are :func:`no_semantics`.
        """

    def draw_strength(self, generator: torch.Generator | None) -> float:
        """Strength of the partial condition for one training step."""
        return 0.0

    def draw(
        self, latent: Tensor, generator: torch.Generator | None = None, partial_strength: float | None = None
    ) -> ConditionDraw:
        """Random numbers for a batch of LQ latents; ``partial_strength`` is drawn too where it is not given."""
        batch, device = latent.shape[0], latent.device
        logit = torch.randn(batch, generator=generator, device=device) + self.fidelity_logit
        return ConditionDraw(
            noise=torch.randn(latent.shape, generator=generator, device=device).to(latent.dtype),
            fidelity=logit.sigmoid(),
            partial=torch.rand(batch, generator=generator, device=device) < self.partial_probability,
            partial_strength=self.draw_strength(generator) if partial_strength is None else partial_strength,
        )

    def augment(self, condition: Condition, draw: ConditionDraw) -> Condition:
        """Full condition in training: a little noise on the LQ latent, semantics as they are."""
        alpha = per_sample(draw.fidelity, condition.latent)
        latent = alpha * condition.latent + (1 - alpha.square()).sqrt() * draw.noise
        return Condition(latent, condition.semantics)

    def mix(self, condition: Condition, draw: ConditionDraw) -> Condition:
        """Training condition: each sample full, or partial where the draw says so."""
        full = self.augment(condition, draw)
        partial = self.partial_condition(condition, draw.partial_strength)
        if partial is None:
            return full
        chosen = draw.partial.view(-1, 1, 1)
        return Condition(
            torch.where(chosen[..., None], partial.latent, full.latent),
            torch.where(chosen, partial.tokens, full.tokens),
        )

    def velocity(
        self,
        model: ConditionedVelocity,
        z_t: Tensor,
        t: Tensor,
        full: Condition,
        partial: Condition | None,
        scale: float | None = None,
        one_time: bool = False,
    ) -> Tensor:
        """Guided velocity; both branches run as one batch, and only the full one where the scale is 1.

        Args:
            model: velocity under a condition.
            z_t: (B, C, h, w).
            t: (B,).
            full: full condition; in distillation the augmented one.
            partial: :meth:`partial_condition` of the clean condition, made once for all steps.
            scale: replaces the guidance scale of this object.
            one_time: all samples have the same time, as in sampling: outside the interval one branch is enough.
        """
        scale = self.scale if scale is None else scale
        limited = self.interval != (0.0, 1.0)
        if partial is None or scale == 1 or (limited and one_time and not bool(self.applies(t[0]))):
            return model(z_t, t, full)
        v_full, v_partial = model(torch.cat([z_t, z_t]), torch.cat([t, t]), full.followed_by(partial)).chunk(
            2
        )
        if not limited:
            return torch.lerp(v_partial, v_full, scale)
        omega = per_sample(torch.where(self.applies(t), scale, 1.0), v_full)
        return v_partial + omega * (v_full - v_partial)

    def applies(self, t: Tensor) -> Tensor:
        """Whether ``scale`` applies at these times."""
        return (t >= self.interval[0]) & (t <= self.interval[1])


def no_semantics(condition: Condition) -> Tensor:
    """Zeros of the shape of the semantics: one expanded, which takes no memory and tells that all tokens are equal."""
    return condition.tokens.new_zeros(()).expand(condition.tokens.shape)
