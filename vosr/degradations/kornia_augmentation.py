"""Any augmentation of kornia as a degradation."""

import difflib
import inspect
from dataclasses import dataclass
from typing import Any

import kornia.augmentation
import torch
from kornia.augmentation._2d.base import AugmentationBase2D
from torch import Tensor

from vosr.degradations.base import Degradation, DegradationParams, check_images, to_8_bits
from vosr.degradations.draws import Draws

AUGMENTATIONS = {
    name: cls
    for name, cls in vars(kornia.augmentation).items()
    if inspect.isclass(cls) and issubclass(cls, AugmentationBase2D) and not name.endswith("Base2D")
}


@dataclass(frozen=True)
class KorniaParams(DegradationParams):
    """Seed of kornia's own draws, (B,)."""

    draw: Tensor


class KorniaAugmentation(Degradation):
    """An augmentation of kornia, applied to each image with parameters of its own.

    A config may also name kornia's class itself: ``class_path: kornia.augmentation.RandomMotionBlur``. Kornia draws
    from torch's global generator, so its state is put aside and seeded with a number from ours while it draws and
    replays its own ``params``. Images go through one by one.

    Args:
        augmentation: name of a class in ``kornia.augmentation`` that keeps the size, such as RandomMotionBlur.
        settings: its constructor arguments; ``p`` is its probability per image. Lists become tuples.
    """

    def __init__(
        self, augmentation: str = "RandomMotionBlur", settings: dict[str, Any] | None = None
    ) -> None:
        if augmentation not in AUGMENTATIONS:
            near = difflib.get_close_matches(augmentation, AUGMENTATIONS, n=3, cutoff=0.3)
            raise ValueError(
                f"kornia.augmentation has no image augmentation {augmentation!r}; near to it: {', '.join(near)}."
            )
        given = {name: _tuples(value) for name, value in (settings or DEFAULTS.get(augmentation, {})).items()}
        try:
            self.augmentation = AUGMENTATIONS[augmentation](**given)
        except (TypeError, ValueError, AssertionError) as error:
            raise ValueError(f"kornia.augmentation.{augmentation} refuses {given}: {error}") from error

    def sample(self, batch_size: int, generator: torch.Generator | None = None) -> KorniaParams:
        return KorniaParams(Draws(batch_size, generator).seeds())

    @torch.no_grad()
    def apply(self, hq: Tensor, params: KorniaParams) -> Tensor:  # type: ignore[override]
        """See :meth:`vosr.degradations.base.Degradation.apply`.

        Raises:
            ValueError: the augmentation changes the size of the images.
        """
        check_images(hq)
        lq = [self._one(image[None], int(seed)) for image, seed in zip(to_8_bits(hq), params.draw)]
        return to_8_bits(torch.cat(lq))

    def _one(self, image: Tensor, seed: int) -> Tensor:
        devices = [image.device] if image.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            drawn = self.augmentation.forward_parameters(image.shape)
            degraded: Tensor = self.augmentation(image, params=drawn)
        if degraded.shape != image.shape:
            name = type(self.augmentation).__name__
            size = " x ".join(map(str, degraded.shape[2:]))
            raise ValueError(f"kornia's {name} gives {size} pixels; a degradation must keep the size.")
        return degraded


DEFAULTS: dict[str, dict[str, Any]] = {
    "RandomMotionBlur": {"kernel_size": (3, 21), "angle": 90.0, "direction": 0.5, "p": 1.0}
}
"""Arguments of the augmentation that is taken without a name; kornia has no defaults for them."""


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
