"""How an image is restored, and what a model refuses."""

from dataclasses import dataclass
from typing import get_args

from vosr.core.options import ColorFix, Semantics
from vosr.model import RestorationModel


@dataclass(frozen=True)
class Settings:
    """How an image is restored; None takes the model's own default.

    Args:
        steps: evaluations of the model.
        guidance_scale: larger is more faithful, smaller more generative; teachers only.
        partial_strength: anchor of the partial branch on the LQ; teachers only.
        tile: side of the backbone's tiles in pixels of the output, 0 for none; by default images clearly larger
            than the training size are cut into tiles of the training size.
        semantics: what the vision encoder reads for a tile: the "tile" itself, as in the paper, the whole "image",
            or "both", their tokens side by side.
        color_fix: correction of the colours against the enlarged input, over the whole image.
        scale: enlargement, at least 1; by default the one of the training.
        size: width and height of the output in pixels, instead of ``scale``.
        seed: of the noise; by default made from each image's content, so that order and batch do not matter.
        memory: working memory in GiB that sizes batches of tiles and the autoencoder's tiles; by default half of
            what is free on the device.
    """

    steps: int | None = None
    guidance_scale: float | None = None
    partial_strength: float | None = None
    tile: int | None = None
    semantics: Semantics = "tile"
    color_fix: ColorFix | None = None
    memory: float | None = None
    scale: float | None = None
    size: tuple[int, int] | None = None
    seed: int | None = None

    def check(self, model: RestorationModel) -> None:
        """Refuse what ``model`` cannot do.

        Raises:
            ValueError: an option out of range, or one that the model does not have.
        """
        self.check_size()
        if model.card.kind == "student":
            self._check_student(model.backbone.end_time)
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps must be at least 1, not {self.steps}.")
        least = 4 * model.multiple
        if self.tile is not None and self.tile != 0 and self.tile < least:
            raise ValueError(f"tile must be 0 (none) or at least {least} pixels, not {self.tile}.")
        if self.semantics not in ("tile", "image", "both"):
            raise ValueError(f"semantics must be tile, image or both, not {self.semantics!r}.")
        if self.color_fix not in (None, *get_args(ColorFix)):
            raise ValueError(f"color_fix must be adain, wavelet, atrous or none, not {self.color_fix!r}.")
        if self.memory is not None and self.memory <= 0:
            raise ValueError(f"memory must be above 0 GiB, not {self.memory}.")

    def check_size(self) -> None:
        """Refuse sizes that no model can make.

        Raises:
            ValueError: a scale below 1, or scale and size at once.
        """
        if self.scale is not None and self.size is not None:
            raise ValueError("Give scale or size, not both.")
        if self.scale is not None and not 1 <= self.scale < float("inf"):
            raise ValueError(f"scale must be at least 1, not {self.scale}.")

    def _check_student(self, end_time: bool) -> None:
        for name in ("guidance_scale", "partial_strength"):
            if getattr(self, name) is not None:
                raise ValueError(
                    f"{name} has no effect on a student: its guidance was distilled; leave it out."
                )
        if (self.steps or 1) > 1 and not end_time:
            raise ValueError("This student was trained for one step and takes no end time; use steps=1.")
