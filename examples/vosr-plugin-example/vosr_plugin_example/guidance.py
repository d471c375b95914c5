"""A guidance whose partial branch sees the LQ latent at a lower resolution."""

import torch
import torch.nn.functional as F

from vosr.core.types import Condition
from vosr.guidance import Guidance


class CoarseGuidance(Guidance):
    """The partial branch sees the LQ latent averaged over blocks, and no semantics.

    Args:
        scale: omega in v = v_partial + omega * (v_full - v_partial).
        block: side of the averaged blocks in latent cells; blocks at the border are smaller.
        partial_probability: share of training samples that take the partial condition.
        fidelity_logit: noise augmentation of the LQ latent, alpha = sigmoid(fidelity_logit + N(0, 1)).
    """

    def __init__(
        self,
        scale: float = 0.5,
        block: int = 4,
        partial_probability: float = 0.1,
        fidelity_logit: float = 5.0,
    ) -> None:
        super().__init__(scale, partial_probability, fidelity_logit, (0.0, 1.0))
        if block < 1:
            raise ValueError(f"block must be at least 1, not {block}.")
        self.block = block

    def partial_condition(self, condition: Condition, strength: float | None = None) -> Condition:
        latent = condition.latent
        coarse = F.avg_pool2d(latent, self.block, ceil_mode=True)
        enlarged = coarse.repeat_interleave(self.block, 2).repeat_interleave(self.block, 3)
        semantics = torch.zeros_like(condition.tokens)
        return Condition(enlarged[..., : latent.shape[2], : latent.shape[3]], semantics)
