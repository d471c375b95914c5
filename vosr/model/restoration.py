"""A complete restoration model: frozen parts, backbone, guidance and how it is sampled."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from vosr.backbones import Backbone
from vosr.core.options import ColorFix
from vosr.core.types import AverageVelocityFn, Condition, PreparedSemantics
from vosr.flow import Schedule, Solver, integrate, time_grid
from vosr.guidance import Guidance
from vosr.model.conditioner import Conditioner


@dataclass(frozen=True)
class Sampling:
    """How a model is sampled unless the caller says otherwise.

    Args:
        steps: evaluations of the backbone.
        schedule: spacing of the times.
        solver: integration rule; a student, whose steps are exact by training, takes "euler".
        temperature: std of the starting noise; 0 starts from its mean, which makes the result deterministic. A model
            should be sampled as it was trained: one-step students may be trained at 0.
    """

    steps: int = 25
    schedule: Schedule = "linear"
    solver: Solver = "euler"
    temperature: float = 1.0

    def times(self) -> list[float]:
        """The grid of times, from 1 to 0."""
        return time_grid(self.steps, self.schedule)


@dataclass(frozen=True)
class ModelCard:
    """What a checkpoint says of itself beside its components.

    Args:
        kind: a "teacher" is guided and takes many steps, a "student" has the guidance in its weights.
        training_size: side of the training crops in pixels.
        scale: enlargement that the training degradation stands for.
        color_fix: colour correction that suits the model.
        degradation: record of the degradation that it was trained with, which a student takes over.
        frozen: fingerprints of the frozen parts' weights, by part, where they have any.
    """

    kind: Literal["teacher", "student"]
    training_size: int = 512
    scale: int = 4
    color_fix: ColorFix = "adain"
    degradation: dict[str, Any] | None = None
    frozen: dict[str, str] = field(default_factory=dict)


class RestorationModel(nn.Module):
    """Restores images that already have their target size.

    Args:
        conditioner: frozen autoencoder and encoder.
        backbone: velocity (teacher) or average velocity (student).
        guidance: used for teachers only.
        sampling: default sampling.
        card: what the model says of itself.

    Attributes:
        faithful: of a student with two ends, the file of the other one's weights; it is saved along.
    """

    faithful: Path | None = None

    def __init__(
        self,
        conditioner: Conditioner,
        backbone: Backbone,
        guidance: Guidance,
        sampling: Sampling,
        card: ModelCard,
    ) -> None:
        super().__init__()
        self.conditioner = conditioner
        self.backbone = backbone
        self.guidance = guidance
        self.sampling = sampling
        self.card = card

    @property
    def multiple(self) -> int:
        """Height and width of an image must be multiples of this."""
        return self.conditioner.autoencoder.factor * self.backbone.patch_size

    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(C, h, w) of an image."""
        autoencoder = self.conditioner.autoencoder
        return autoencoder.latent_channels, height // autoencoder.factor, width // autoencoder.factor

    def velocity(
        self,
        condition: Condition,
        guidance_scale: float | None = None,
        partial_strength: float | None = None,
        semantics: Tensor | PreparedSemantics | None = None,
    ) -> AverageVelocityFn:
        """The field to integrate for ``condition``: guided for a teacher, the student's own else.

        Args:
            condition: see :func:`velocity_field`.
            guidance_scale: replaces the guidance scale (teachers).
            partial_strength: replaces the partial strength (teachers).
            semantics: those of the condition, where the backbone has prepared them already.
        """
        guidance = self.guidance if self.card.kind == "teacher" else None
        return velocity_field(self.backbone, guidance, condition, guidance_scale, partial_strength, semantics)

    @torch.no_grad()
    def restore(
        self,
        lq: Tensor,
        noise: Tensor,
        sampling: Sampling | None = None,
        guidance_scale: float | None = None,
        partial_strength: float | None = None,
    ) -> Tensor:
        """Restored image.

        Args:
            lq: (B, 3, H, W) in [0, 1], already enlarged; H and W multiples of :attr:`multiple`.
            noise: start, (B, *latent_shape).
            sampling: replaces the default sampling.
            guidance_scale: replaces the guidance scale (teachers).
            partial_strength: replaces the partial strength (teachers).

        Returns:
            (B, 3, H, W) in [0, 1].
        """
        condition = self.conditioner.condition(lq)
        velocity = self.velocity(condition, guidance_scale, partial_strength)
        sampling = sampling or self.sampling
        start = sampling.temperature * noise.to(condition.latent)
        latent = integrate(velocity, start, sampling.times(), sampling.solver)
        return self.conditioner.decode(latent)


def velocity_field(
    backbone: Backbone,
    guidance: Guidance | None,
    condition: Condition,
    guidance_scale: float | None = None,
    partial_strength: float | None = None,
    semantics: Tensor | PreparedSemantics | None = None,
) -> AverageVelocityFn:
    """Close a backbone, and a teacher's guidance, over one condition, whose semantics are prepared once."""
    full = backbone.prepared(condition) if semantics is None else replace(condition, semantics=semantics)
    if guidance is None:
        return lambda z, t, r: backbone.velocity(z, t, full, r if backbone.end_time else None)
    guide, scale = guidance, guidance.scale if guidance_scale is None else guidance_scale
    partial = None if scale == 1 else guide.partial_condition(condition, partial_strength)
    partial = None if partial is None else backbone.prepared(partial)
    return lambda z, t, r: guide.velocity(backbone.velocity, z, t, full, partial, scale, one_time=True)
