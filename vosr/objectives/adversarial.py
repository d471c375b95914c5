"""The adversarial term of a one-step student: formulas, and the discriminator's own training."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vosr.core.registry import Component
from vosr.objectives.discriminators import Discriminator

AdversarialLoss = Literal["hinge", "relativistic"]


def generator_loss(fake: list[Tensor], real: list[Tensor], kind: AdversarialLoss) -> Tensor:
    """What the restoring model minimises, from the discriminator's logits, a scalar.

    "hinge" is -mean(fake); "relativistic" is mean(softplus(real - fake)), a restored patch against the real one at the
    same place (Jolicoeur-Martineau 2018). The mean over the maps.
    """
    if kind == "hinge":
        return torch.stack([-f.float().mean() for f in fake]).mean()
    return torch.stack([F.softplus(r.float() - f.float()).mean() for f, r in zip(fake, real)]).mean()


def discriminator_loss(fake: list[Tensor], real: list[Tensor], kind: AdversarialLoss) -> Tensor:
    """What the discriminator minimises, a scalar: 1 (hinge) or log 2 (relativistic) where it cannot tell.

    "hinge" is mean(relu(1 - real) + relu(1 + fake)) / 2, "relativistic" is mean(softplus(fake - real)).
    """
    if kind == "hinge":
        each = [(F.relu(1 - r.float()).mean() + F.relu(1 + f.float()).mean()) / 2 for f, r in zip(fake, real)]
    else:
        each = [F.softplus(f.float() - r.float()).mean() for f, r in zip(fake, real)]
    return torch.stack(each).mean()


class Adversary(Component, nn.Module):
    """A discriminator, its loss and its optimizer.

    The discriminator's optimizer is not one of Lightning's: the generator keeps automatic optimization, so that the
    step number, ``max_steps``, clipping, accumulation and schedules count its updates alone (Lightning adds up the
    steps of all its optimizers, its issues 17958 and 17281). Its parameters take gradients only inside :meth:`learn`,
    so neither DDP nor the generator's backward pass sees them.

    Args:
        discriminator: scores patches.
        loss: "hinge" or "relativistic".
        weight: of the generator's term.
        start: generator updates before the term counts; the discriminator learns from the first.
        ramp: further updates over which the weight grows to its value.
        lr: learning rate of the discriminator (Adam, betas 0 and 0.99).

    Raises:
        ValueError: a negative weight, start or ramp, or a learning rate that is not positive.
    """

    def __init__(
        self,
        discriminator: Discriminator,
        loss: AdversarialLoss = "hinge",
        weight: float = 0.02,
        start: int = 0,
        ramp: int = 0,
        lr: float = 2e-4,
    ) -> None:
        super().__init__()
        if min(weight, start, ramp) < 0 or not lr > 0:
            raise ValueError(
                f"weight, start and ramp must not be negative and lr positive, not {(weight, start, ramp, lr)}."
            )
        self.discriminator = discriminator
        self.loss: AdversarialLoss = loss
        self.weight = weight
        self.start = start
        self.ramp = ramp
        self.trained = [p for p in discriminator.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.trained, lr=lr, betas=(0.0, 0.99))
        self._hold(False)

    def weight_at(self, step: int) -> float:
        """Weight of the generator's term at a generator update."""
        return self.weight * min(1.0, max(0.0, (step - self.start + 1) / (self.ramp + 1)))

    def generator_term(self, restored: Tensor, hq: Tensor) -> Tensor:
        """Unweighted loss of restored images (B, 3, H, W) near [0, 1]; a scalar with gradient to them alone."""
        with torch.no_grad():
            real = self.discriminator(hq) if self.loss == "relativistic" else []
        return generator_loss(self.discriminator(restored), real, self.loss)

    def accumulate(self, restored: Tensor, hq: Tensor, share: float = 1.0) -> Tensor:
        """Add the discriminator's gradient on one batch, times ``share``; its loss, detached."""
        self._hold(True)
        try:
            fake, real = self.discriminator(restored.detach()), self.discriminator(hq.detach())
            loss = discriminator_loss(fake, real, self.loss)
            (share * loss).backward()
        finally:
            self._hold(False)
        return loss.detach()

    def share(self) -> None:
        """Take the weights of rank 0 on every rank."""
        if _ranks() > 1:
            for tensor in self.training_state()["discriminator"].values():
                torch.distributed.broadcast(tensor, 0)

    def update(self) -> None:
        """One step of the discriminator with the gradients accumulated, averaged over all ranks."""
        if _ranks() > 1:
            for parameter in self.trained:
                if parameter.grad is not None:
                    torch.distributed.all_reduce(parameter.grad)
                    parameter.grad.div_(_ranks())
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def training_state(self) -> dict[str, Any]:
        """Weights of the discriminator without its frozen parts, and the optimizer's state."""
        frozen = {
            name for name, p in self.discriminator.named_parameters() if not any(p is t for t in self.trained)
        }
        weights = {name: v for name, v in self.discriminator.state_dict().items() if name not in frozen}
        return {"discriminator": weights, "optimizer": self.optimizer.state_dict()}

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`training_state`.

        Raises:
            ValueError: the state is of another discriminator.
        """
        own = self.training_state()["discriminator"]
        if own.keys() != state["discriminator"].keys():
            raise ValueError(
                "The checkpoint's discriminator is another one than model.adversary.discriminator."
            )
        self.discriminator.load_state_dict(state["discriminator"], strict=False)
        self.optimizer.load_state_dict(state["optimizer"])

    def _hold(self, trained: bool) -> None:
        for parameter in self.trained:
            parameter.requires_grad_(trained)


def _ranks() -> int:
    dist = torch.distributed
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
