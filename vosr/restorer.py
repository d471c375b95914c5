"""Restores pictures of any size with a loaded model: what users hold in their hands."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from vosr.checkpoints import load_model
from vosr.flow import integrate
from vosr.imaging.color import apply_color_fix
from vosr.imaging.grid import to_pil
from vosr.model import ColorFix, RestorationModel
from vosr.padding import pad_reflecting
from vosr.seeds import noise_for
from vosr.tiling import blend, tiles
from vosr.types import AverageVelocityFn, Condition

Picture = TypeVar("Picture", Image.Image, NDArray, Tensor)
WHOLE = 2
"""A picture up to this many training sizes along each side is restored without tiles."""
OVERLAP = 4
"""Neighbouring tiles share a quarter of their side."""


@dataclass(frozen=True)
class Settings:
    """How a picture is restored; None takes the model's own default.

    Args:
        steps: evaluations of the model.
        guidance_scale: larger is more faithful, smaller more generative; teachers only.
        weak_strength: anchor of the weak branch on the LQ; teachers only.
        tile: side of the tiles in pixels of the output, 0 for none; by default pictures beyond twice the training
            size are cut into tiles of the training size.
        color_fix: correction of the colours against the enlarged input.
    """

    steps: int | None = None
    guidance_scale: float | None = None
    weak_strength: float | None = None
    tile: int | None = None
    color_fix: ColorFix | None = None

    def check(self, model: RestorationModel) -> None:
        """Refuse what ``model`` cannot do.

        Raises:
            ValueError: an option out of range, or one that the model does not have.
        """
        if model.card.kind == "student":
            for name in ("guidance_scale", "weak_strength"):
                if getattr(self, name) is not None:
                    raise ValueError(
                        f"{name} has no effect on a student: its guidance was distilled; leave it out."
                    )
            if (self.steps or 1) > 1 and not model.backbone.end_time:
                raise ValueError("This student was trained for one step and takes no end time; use steps=1.")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps must be at least 1, not {self.steps}.")
        least = 4 * model.multiple
        if self.tile is not None and self.tile != 0 and self.tile < least:
            raise ValueError(f"tile must be 0 (none) or at least {least} pixels, not {self.tile}.")


class Restorer:
    """A model ready to restore pictures.

    Args:
        model: loaded model.
        device: where it runs.

    Example:
        >>> from PIL import Image
        >>> from vosr import Restorer
        >>> restorer = Restorer.from_pretrained("vosr_small_student", device="cpu")
        >>> restorer(Image.new("RGB", (20, 12), "teal"), scale=4).size
        (80, 48)
    """

    def __init__(self, model: RestorationModel, device: torch.device | str = "cpu") -> None:
        self.model = model.to(device).eval()
        self.device = torch.device(device)

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | Path, device: str = "auto", companions: Path | None = None
    ) -> "Restorer":
        """Open a shipped model by name, a model folder (ours or a released one) or run folder by path, or a hub id.

        Args:
            name_or_path: see :func:`vosr.checkpoints.load_model`.
            device: "auto" takes CUDA, then Apple's MPS, then the CPU.
            companions: where the VAE and DINOv2 of a released model lie, if not in or beside its folder.
        """
        return cls(load_model(name_or_path, companions=companions), pick_device(device))

    def __call__(
        self,
        image: Picture,
        scale: float | None = None,
        steps: int | None = None,
        guidance_scale: float | None = None,
        weak_strength: float | None = None,
        seed: int | None = None,
        tile: int | None = None,
        color_fix: ColorFix | None = None,
    ) -> Picture:
        """Restore one picture; the same type comes back. Options as in :class:`Settings`.

        Args:
            image: PIL picture of any mode; (H, W, 3) array, uint8 or float in [0, 1]; or (3, H, W) float tensor in
                [0, 1].
            scale: enlargement, at least 1; 1 restores without enlarging; by default the one of the training.
            steps: evaluations of the model.
            guidance_scale: teachers only.
            weak_strength: teachers only.
            seed: of the noise; by default made from the picture's content, so that order does not matter.
            tile: side of the tiles in pixels of the output; 0 for none.
            color_fix: "adain", "wavelet" or "none".

        Raises:
            ValueError: an option out of range, one that this model does not have, or not a colour picture.
        """
        scale = self.model.card.scale if scale is None else scale
        settings = Settings(steps, guidance_scale, weak_strength, tile, color_fix)
        if isinstance(image, Image.Image):
            return self._restore_pil(image, scale, seed, settings)
        array = image.permute(1, 2, 0).cpu().numpy() if isinstance(image, Tensor) else image
        if array.ndim != 3 or array.shape[2] != 3:
            raise ValueError(
                f"Expected an (H, W, 3) array or a (3, H, W) tensor, not shape {tuple(image.shape)}."
            )
        restored = self._restore_rgb(Image.fromarray(_to_uint8(array)), scale, seed, settings)
        if isinstance(image, Tensor):
            return restored.to(image)
        values = restored.permute(1, 2, 0).cpu().numpy()
        return cast(Picture, _to_uint8(values) if array.dtype == np.uint8 else values.astype(array.dtype))

    def _restore_pil(
        self, image: Image.Image, scale: float, seed: int | None, settings: Settings
    ) -> Image.Image:
        """Colour is restored; alpha is enlarged; grey stays grey."""
        restored = to_pil(self._restore_rgb(image.convert("RGB"), scale, seed, settings))
        if image.mode in ("L", "1", "I", "I;16", "F"):
            return restored.convert("L")
        if "A" in image.getbands() or "transparency" in image.info:
            alpha = image.convert("RGBA").getchannel("A")
            restored.putalpha(alpha.resize(restored.size, Image.Resampling.BICUBIC))
        return restored

    @torch.no_grad()
    def _restore_rgb(self, image: Image.Image, scale: float, seed: int | None, settings: Settings) -> Tensor:
        """Restored picture (3, H, W) in [0, 1] of an 8-bit RGB picture."""
        settings.check(self.model)
        if scale < 1:
            raise ValueError(f"scale must be at least 1, not {scale}.")
        if seed is None:
            seed = int.from_bytes(hashlib.blake2b(image.tobytes(), digest_size=7).digest(), "little")
        width, height = (max(1, round(side * scale)) for side in image.size)
        # The resize is a part of the model: Pillow's bicubic, not torch's (METHOD section 5).
        enlarged = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
        lq = torch.from_numpy(enlarged.copy()).permute(2, 0, 1)[None].float().to(self.device) / 255
        padded = pad_reflecting(lq, self.model.multiple, least=self.model.card.training_size)
        noise = noise_for([seed], self.model.latent_shape(*padded.shape[-2:]), self.device)
        restored = self._restore_padded(padded, noise, settings)[..., :height, :width]
        return apply_color_fix(settings.color_fix or self.model.card.color_fix, restored, lq)[0]

    def _restore_padded(self, lq: Tensor, noise: Tensor, settings: Settings) -> Tensor:
        size = self.model.card.training_size
        automatic = size if max(lq.shape[-2:]) > WHOLE * size else 0
        tile = automatic if settings.tile is None else settings.tile
        sampling = self.model.sampling
        if settings.steps is not None:
            sampling = replace(sampling, steps=settings.steps)
        if tile == 0:
            scales = settings.guidance_scale, settings.weak_strength
            return self.model.restore(lq, noise, sampling, *scales)
        latent = integrate(self._tiled_velocity(lq, tile, settings), noise, sampling.times(), sampling.solver)
        return self.model.conditioner.decode(latent)

    def _tiled_velocity(self, lq: Tensor, tile: int, settings: Settings) -> AverageVelocityFn:
        """Velocities of overlapping tiles, each with the semantics of its own crop, blended at every step."""
        model, conditioner = self.model, self.model.conditioner
        factor, patch = conditioner.autoencoder.factor, model.backbone.patch_size
        latent = conditioner.autoencoder.encode(lq * 2 - 1)
        side = tile // (factor * patch) * patch
        height, width = latent.shape[-2:]
        parts = tiles(height, width, side, side // OVERLAP, patch)
        fields = [
            model.velocity(
                Condition(part.of(latent), conditioner.encoder(part.of(lq, factor))),
                settings.guidance_scale,
                settings.weak_strength,
            )
            for part in parts
        ]
        return lambda z, t, r: blend(z, parts, lambda i, cut: fields[i](cut, t, r))


def pick_device(name: str) -> torch.device:
    """The device called ``name``, or the best one for "auto".

    Raises:
        ValueError: no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"Device {name!r} cannot be used here: {str(error).splitlines()[0]}") from error
    return device


def _to_uint8(array: NDArray) -> NDArray[np.uint8]:
    return array if array.dtype == np.uint8 else np.round(np.clip(array, 0, 1) * 255).astype(np.uint8)
