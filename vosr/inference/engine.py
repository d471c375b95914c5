"""Restores images of any size: encode, integrate, decode, colour, each in pieces that fit the memory."""

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vosr.core.phases import Phases
from vosr.core.seeds import noise_for
from vosr.flow import integrate
from vosr.imaging.enlarging import LANCZOS
from vosr.inference.autoencode import decode_rows, encode
from vosr.inference.colour_rows import fixed_rows
from vosr.inference.compile import compile_forward
from vosr.inference.enlarge import Enlarged
from vosr.inference.fallback import retry_smaller
from vosr.inference.memory import TilePlan, make_plan, memory_budget
from vosr.inference.precision import Part, Precision
from vosr.inference.settings import Settings
from vosr.inference.tiling import Tile, padded_side, tiles
from vosr.inference.velocities import TiledField
from vosr.model import RestorationModel

log = logging.getLogger("vosr")
Progress = Callable[[str, int, int], None]
"""Called with a stage, the pieces of it that are done, and their number."""
OVERLAP = 4
"""Neighbouring tiles share a quarter of their side."""
OVERVIEW = 1024
"""Longest side at which the vision encoder is shown a whole image; it resizes that to its own input size."""
BUCKET = 64
"""With ``compile``, whole images are padded to multiples of this: few shapes, few compilations."""


class Engine:
    """Restoration by one model on one device, in bounded memory.

    Args:
        model: moved to ``device`` and cast in place.
        device: where it runs.
        precision: dtype of each part.
        compile: run the backbone through torch.compile; falls back to eager with a message.

    Attributes:
        progress: called with a stage, what of it is done and how much it is; may be replaced.
        phases: seconds by stage, once started.
    """

    def __init__(
        self,
        model: RestorationModel,
        device: torch.device,
        precision: Precision = Precision(),  # noqa: B008  (immutable)
        compile: bool = False,
    ) -> None:
        self.model = model.to(device).eval()
        self.device = device
        backbone, encoder, autoencoder = precision.resolve(device)
        self.backbone = Part("backbone", model.backbone, backbone)
        self.encoder = Part("vision encoder", model.conditioner.encoder, encoder)
        self.autoencoder = Part("autoencoder", model.conditioner.autoencoder, autoencoder)
        self.compiled = compile
        self.phases = Phases()
        self.progress: Progress = lambda stage, done, total: None
        self._warned_small = False
        if compile:
            compile_forward(model.backbone)

    def rows(
        self,
        images: list[NDArray],
        size: tuple[int, int],
        settings: Settings,
        seeds: list[int | None],
    ) -> Iterator[Tensor]:
        """Restored images as strips from top to bottom, (B, 3, rows, W) in [0, 1], float32 on the CPU.

        Args:
            images: (H, W, 3) of one shape; uint8, uint16, or floating point in [0, 1].
            size: width and height of the output, no smaller than the input.
            settings: see :class:`Settings`.
            seeds: of each image's noise; None makes it from the image's content.

        Raises:
            ValueError: a setting that the model does not have or that is out of range, an output smaller than the
                input, or too little memory.
        """
        settings.check(self.model)
        self._check_size(images, size)
        width, height = size
        least = self.model.card.training_size
        multiple = self.model.multiple
        if self.compiled:
            multiple *= max(1, BUCKET // multiple)
        padded = padded_side(width, multiple, least), padded_side(height, multiple, least)
        if min(size) < least and not self._warned_small:
            self._warned_small = True  # once, not for every image of a folder
            log.warning("Output below the model's training size, %d px: padded to it by reflection.", least)
        enlarged = Enlarged(images, size, padded)
        noise_seeds = [image_seed(p) if seed is None else seed for p, seed in zip(images, seeds)]
        memory = memory_budget(self.device, settings.memory)
        plan = make_plan(self.model, padded[1], padded[0], settings.tile, memory, len(images))
        log.debug("Plan for %d x %d: %s", *padded, plan)
        strips = self._strips(enlarged, plan, settings, noise_seeds)
        color_fix = settings.color_fix or self.model.card.color_fix
        target = Enlarged(images, size, size, LANCZOS) if color_fix == "wavelet" else enlarged
        eight_bit = all(image.dtype == np.uint8 for image in images)
        cropped = _cropped(strips, height, width)
        fixed = fixed_rows(color_fix, cropped, partial(_reference, target), eight_bit)
        yield from self._timed("colour", lambda: next(fixed, None))

    def _strips(
        self,
        enlarged: Enlarged,
        plan: TilePlan,
        settings: Settings,
        seeds: list[int],
    ) -> Iterator[Tensor]:
        """Decoded strips of the padded images; where memory runs out, once more with a smaller plan."""
        again = partial(retry_smaller, self.model, self.device)
        plan, latent = again(plan, lambda p: self._latent(enlarged, p, settings, seeds))
        plan, (strips, first) = again(plan, lambda p: self._begun(latent, p))
        yield first
        yield from strips

    def _begun(self, latent: Tensor, plan: TilePlan) -> tuple[Iterator[Tensor], Tensor]:
        """The decoded strips, of which the first is made here, where running out of memory can be answered."""
        images = [
            decode_rows(self.model.conditioner.autoencoder, self.autoencoder.run, one, plan.block)
            for one in latent.split(1)
        ]
        self.progress("decode", 0, 1)
        strips = self._together(images)
        return strips, next(strips)

    def _together(self, images: list[Iterator[Tensor]]) -> Iterator[Tensor]:
        @torch.no_grad()
        def following() -> Tensor | None:
            parts = [part for image in images if (part := next(image, None)) is not None]
            return _joined(parts) if parts else None

        return self._timed("decode", following)

    def _timed(self, phase: str, following: Callable[[], Tensor | None]) -> Iterator[Tensor]:
        """What ``following`` gives until it gives None; only the time within it counts for the phase."""
        while True:
            with self.phases(phase):
                strip = following()
            if strip is None:
                return
            yield strip

    @torch.no_grad()
    def _latent(
        self,
        enlarged: Enlarged,
        plan: TilePlan,
        settings: Settings,
        seeds: list[int],
    ) -> Tensor:
        """Restored latent of the padded images, (B, C, h, w)."""
        with self.phases("encode"):
            lq = self._encoded(enlarged, plan)
        sampling = self.model.sampling
        if settings.steps is not None:
            sampling = replace(sampling, steps=settings.steps)
        height, width = lq.shape[-2:]
        patch = self.model.backbone.patch_size
        side = plan.tile or max(height, width)
        parts = tiles(height, width, side, side // OVERLAP // patch * patch, patch)
        evaluations, done = sampling.steps * len(parts), 0

        def counted(more: int) -> None:
            nonlocal done
            done += more
            self.progress("backbone", done, evaluations)

        self.progress("backbone", 0, evaluations)
        field = TiledField(
            self.model,
            self.backbone,
            lq,
            self._semantics(enlarged, settings),
            parts,
            plan.batch,
            settings.guidance_scale,
            settings.partial_strength,
            counted,
            plan.keep if sampling.steps > 1 else 0,
        )
        noise = sampling.temperature * noise_for(seeds, tuple(lq.shape[1:]), self.device)
        with self.phases("backbone"):
            return integrate(field, noise, sampling.times(), sampling.solver)

    def _encoded(self, enlarged: Enlarged, plan: TilePlan) -> Tensor:
        autoencoder = self.model.conditioner.autoencoder
        height, width = (side // autoencoder.factor for side in enlarged.padded)
        latents = []
        for i in range(len(enlarged.planes)):
            self.progress("encode", i, len(enlarged.planes))
            cut = partial(self._cut, enlarged, slice(i, i + 1))
            latents.append(encode(autoencoder, self.autoencoder.run, cut, height, width, plan.block))
        return _joined(latents)

    def _semantics(self, enlarged: Enlarged, settings: Settings) -> Callable[[Tile], Tensor]:
        """Tokens (B, M, Z) for a tile."""
        encoder, factor = self.model.conditioner.encoder, self.model.conditioner.autoencoder.factor

        def of_tile(tile: Tile) -> Tensor:
            crop = self._cut(enlarged, slice(None), *(factor * at for at in tile.corners))
            with self.phases("semantics"):
                return self.encoder.run(lambda: encoder(crop))

        if settings.semantics == "tile":
            return of_tile
        overview = enlarged.overview(OVERVIEW).to(self.device)
        with self.phases("semantics"):
            whole = self.encoder.run(lambda: encoder(overview))
        if settings.semantics == "image":
            return lambda tile: whole
        return lambda tile: torch.cat([of_tile(tile), whole], dim=1)

    def _cut(self, enlarged: Enlarged, which: slice, top: int, left: int, bottom: int, right: int) -> Tensor:
        return enlarged.cut(top, left, bottom, right, which).to(self.device)

    def _check_size(self, images: list[NDArray], size: tuple[int, int]) -> None:
        height, width = images[0].shape[:2]
        if size[0] < width or size[1] < height:
            raise ValueError(
                f"The output, {size[0]} x {size[1]}, would be smaller than the input, {width} x {height}: "
                "scale must be at least 1."
            )


def image_seed(image: NDArray) -> int:
    """Seed of an image's noise from its content in 8 bits, so that neither name, order nor dtype matters."""
    if image.dtype == np.uint16:
        image = np.round(image / np.float32(257)).astype(np.uint8)
    elif image.dtype != np.uint8:
        image = np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return int.from_bytes(hashlib.blake2b(image.tobytes(), digest_size=7).digest(), "little")


def _joined(parts: list[Tensor]) -> Tensor:
    """One batch, without a copy where there is one image."""
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _reference(enlarged: Enlarged, top: int, bottom: int) -> Tensor:
    return enlarged.cut(top, 0, bottom, enlarged.width)


def _cropped(strips: Iterator[Tensor], height: int, width: int) -> Iterator[Tensor]:
    """The strips without the padding."""
    done = 0
    for strip in strips:
        rows = min(strip.shape[2], height - done)
        if rows > 0:
            yield strip[:, :, :rows, :width]
        done += rows
        if done == height:
            return
