"""Second-order degradation of Real-ESRGAN, drawn per image (docs/method.md#degradation)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from vosr.core.types import RandomSource
from vosr.degradations.base import Degradation, DegradationParams, check_images, to_8_bits
from vosr.degradations.buckets import apply_in_buckets
from vosr.degradations.canvas import MODES, Canvas, edge_repeated, filter2d, resize, whole
from vosr.degradations.checks import check_probability, check_range, check_shares
from vosr.degradations.draws import Draws
from vosr.degradations.jpeg import jpeg
from vosr.degradations.kernels import identity_kernels
from vosr.degradations.noise import mixed_noise
from vosr.degradations.pillow import pillow_bicubic
from vosr.degradations.random_field import normal_field


@dataclass(frozen=True)
class Stage:
    """One of the two rounds of blur, resize and noise.

    Args:
        blur_probability: of any blur.
        sinc_probability: of a ringing kernel instead of a blur kernel.
        sigma: range of the blur's standard deviation, pixels.
        family_probabilities: isotropic, anisotropic, generalised iso and aniso, plateau iso and aniso.
        generalized_beta: range of the generalised families' exponent, half of the time below 1 and half above.
        plateau_beta: range of the plateau families' exponent, likewise.
        resize_probabilities: up, down, keep.
        resize_range: smallest and largest factor.
        gaussian_probability: of Gaussian noise; Poisson else.
        gaussian_sigma: range in 8-bit steps.
        poisson_scale: range.
        grey_probability: of one noise field for all channels.
    """

    blur_probability: float = 1.0
    sinc_probability: float = 0.1
    sigma: tuple[float, float] = (0.2, 3.0)
    family_probabilities: tuple[float, float, float, float, float, float] = (
        0.45,
        0.25,
        0.12,
        0.03,
        0.12,
        0.03,
    )
    generalized_beta: tuple[float, float] = (0.5, 4.0)
    plateau_beta: tuple[float, float] = (1.0, 2.0)
    resize_probabilities: tuple[float, float, float] = (0.2, 0.7, 0.1)
    resize_range: tuple[float, float] = (0.15, 1.5)
    gaussian_probability: float = 0.5
    gaussian_sigma: tuple[float, float] = (1.0, 30.0)
    poisson_scale: tuple[float, float] = (0.05, 3.0)
    grey_probability: float = 0.4

    def __post_init__(self) -> None:
        for name in ("blur", "sinc", "gaussian", "grey"):
            check_probability(f"{name}_probability", getattr(self, f"{name}_probability"))
        check_shares("family_probabilities", self.family_probabilities)
        check_shares("resize_probabilities", self.resize_probabilities)
        for name in ("sigma", "generalized_beta", "plateau_beta", "resize_range"):
            check_range(name, getattr(self, name), above=0)
        for name in ("gaussian_sigma", "poisson_scale"):
            check_range(name, getattr(self, name), least=0)


@dataclass(frozen=True)
class StageParams(DegradationParams):
    """Parameters of one round.

    Attributes:
        kernel: of the blur, (B, 21, 21).
        factor: of the resize, (B,).
        mode: its interpolation, index into MODES, (B,).
        gaussian: Gaussian noise instead of Poisson, (B,).
        grey: one noise field for all channels, (B,).
        sigma: of Gaussian noise in 8-bit steps, (B,).
        poisson_scale: strength of Poisson noise, (B,).
        seed: of the noise field, (B,).
    """

    kernel: Tensor
    factor: Tensor
    mode: Tensor
    gaussian: Tensor
    grey: Tensor
    sigma: Tensor
    poisson_scale: Tensor
    seed: Tensor


@dataclass(frozen=True)
class RealESRGANParams(DegradationParams):
    """Parameters of both rounds and of what follows.

    Attributes:
        first: first round.
        second: second round.
        first_quality: of the first JPEG, (B,).
        second_quality: of the second JPEG, (B,).
        final_kernel: ringing kernel at the end, or one that changes nothing, (B, 21, 21).
        final_mode: interpolation to the small size, index into MODES, (B,).
        jpeg_last: the second JPEG after the final kernel instead of before, (B,).
        enlarge_mode: interpolation back to the HQ's size, index into MODES, (B,); None for Pillow's.
    """

    first: StageParams
    second: StageParams
    first_quality: Tensor
    second_quality: Tensor
    final_kernel: Tensor
    final_mode: Tensor
    jpeg_last: Tensor
    enlarge_mode: Tensor | None


FIRST = Stage()
SECOND = Stage(
    blur_probability=0.8,
    sigma=(0.2, 1.5),
    resize_probabilities=(0.3, 0.4, 0.3),
    resize_range=(0.3, 1.2),
    gaussian_sigma=(1.0, 25.0),
    poisson_scale=(0.05, 2.5),
)


class RealESRGAN(Degradation):
    """Second-order blur, resize, noise and JPEG of Real-ESRGAN, every choice drawn per image.

    Args:
        scale: size of the HQ over that of the degraded image.
        first: first round, on the HQ.
        second: second round; its resize factors are relative to the final small size.
        jpeg_quality: range of libjpeg's quality, drawn for each round.
        final_sinc_probability: of a ringing kernel at the end.
        enlarge: interpolation back to the HQ's size; "random" draws one of area, bilinear and bicubic (torch's) per
            image, as the reference does; "pillow" is that of inference.
        per_image: draw kernels, factors, modes and noise kinds per image; false shares them in the batch, as
            the reference does.
    """

    def __init__(
        self,
        scale: int = 4,
        first: Stage = FIRST,
        second: Stage = SECOND,
        jpeg_quality: tuple[float, float] = (30.0, 95.0),
        final_sinc_probability: float = 0.8,
        enlarge: Literal["random", "area", "bilinear", "bicubic", "pillow"] = "random",
        per_image: bool = True,
    ) -> None:
        if scale < 1:
            raise ValueError(f"scale must be at least 1, not {scale}.")
        if not 1 <= jpeg_quality[0] <= jpeg_quality[1] <= 100:
            raise ValueError(f"jpeg_quality must be a range within 1 to 100, not {jpeg_quality}.")
        check_probability("final_sinc_probability", final_sinc_probability)
        self.scale = scale
        self.first = first
        self.second = second
        self.jpeg_quality = jpeg_quality
        self.final_sinc_probability = final_sinc_probability
        self.enlarge = enlarge
        self.per_image = per_image

    def sample(self, batch_size: int, generator: torch.Generator | None = None) -> RealESRGANParams:
        return self._drawn(batch_size, generator)

    def sample_each(self, generators: Sequence[torch.Generator]) -> RealESRGANParams:
        return self._drawn(len(generators), generators)

    def _drawn(self, batch_size: int, generator: RandomSource | None) -> RealESRGANParams:
        shared = Draws(batch_size, generator, shared=not self.per_image)
        single = Draws(batch_size, generator)
        final_sinc = shared.happens(self.final_sinc_probability)
        enlarge = shared.choice((1.0,) * len(MODES))
        if self.enlarge in MODES:
            enlarge = torch.full_like(enlarge, MODES.index(self.enlarge))
        return RealESRGANParams(
            first=_draw_stage(self.first, shared, single),
            second=_draw_stage(self.second, shared, single),
            first_quality=single.uniform(*self.jpeg_quality),
            second_quality=single.uniform(*self.jpeg_quality),
            final_kernel=torch.where(
                final_sinc.view(-1, 1, 1), shared.final_sinc(), identity_kernels(batch_size)
            ),
            final_mode=shared.choice((1.0,) * len(MODES)),
            jpeg_last=shared.happens(0.5),
            enlarge_mode=None if self.enlarge == "pillow" else enlarge,
        )

    def apply(self, hq: Tensor, params: RealESRGANParams) -> Tensor:  # type: ignore[override]
        """See :meth:`vosr.degradations.base.Degradation.apply`.

        Raises:
            ValueError: sides that are not multiples of the scale, or smaller than 4 pixels after it.
        """
        check_images(hq, self.scale)
        if min(hq.shape[2:]) < 4 * self.scale:
            raise ValueError(f"Image size {tuple(hq.shape[2:])} is too small for scale {self.scale}.")
        hq = to_8_bits(hq)
        return apply_in_buckets(hq, params, params.first.factor, self._apply_group)

    def _apply_group(self, hq: Tensor, params: RealESRGANParams) -> Tensor:
        canvas = whole(hq)
        full, small = (canvas.height, canvas.width), (canvas.height // self.scale, canvas.width // self.scale)
        canvas = _apply_stage(canvas, params.first, full, by_factor=True)
        canvas = _compressed(canvas, params.first_quality)
        canvas = _apply_stage(canvas, params.second, small)
        canvas = _compressed(canvas, params.second_quality, ~params.jpeg_last)
        canvas = filter2d(resize(canvas, *small, params.final_mode), params.final_kernel)
        canvas = _compressed(canvas, params.second_quality, params.jpeg_last)
        if self.enlarge == "pillow" or params.enlarge_mode is None:  # all are of the small size by now
            return pillow_bicubic(canvas.image, *hq.shape[2:])
        return to_8_bits(resize(canvas, *full, params.enlarge_mode).image)


def _draw_stage(stage: Stage, shared: Draws, single: Draws) -> StageParams:
    return StageParams(
        kernel=shared.blur(
            stage.blur_probability,
            stage.sinc_probability,
            stage.family_probabilities,
            stage.sigma,
            stage.generalized_beta,
            stage.plateau_beta,
        ),
        factor=shared.resize_factor(stage.resize_probabilities, stage.resize_range),
        mode=shared.choice((1.0,) * len(MODES)),
        gaussian=shared.happens(stage.gaussian_probability),
        grey=single.happens(stage.grey_probability),
        sigma=single.uniform(*stage.gaussian_sigma),
        poisson_scale=single.uniform(*stage.poisson_scale),
        seed=single.seeds(),
    )


def _apply_stage(
    canvas: Canvas, params: StageParams, relative_to: tuple[Tensor, Tensor], by_factor: bool = False
) -> Canvas:
    """Blur, resize by the drawn factor of the size ``relative_to``, add noise.

    With ``by_factor`` positions are stepped by 1 / factor, not by the ratio of the rounded sizes, as the reference's
    first stage does.
    """
    canvas = filter2d(canvas, params.kernel)
    factor = params.factor.double()
    height, width = ((size * factor).long().clamp_min(1) for size in relative_to)
    canvas = resize(canvas, height, width, params.mode, factor if by_factor else None)
    image, gaussian, grey = canvas.image, params.gaussian, params.grey
    seed, sigma, scale = (
        drawn.to(image.device, non_blocking=True)
        for drawn in (params.seed, params.sigma, params.poisson_scale)
    )
    channels = 1 if bool(grey.all()) else 3
    normal = normal_field(seed, image.shape[2], image.shape[3], channels).to(image)
    noisy = mixed_noise(image, normal, gaussian, grey, sigma, scale)
    return Canvas(edge_repeated(noisy, height, width), height, width)


def _compressed(canvas: Canvas, quality: Tensor, where: Tensor | None = None) -> Canvas:
    """JPEG on the images that ``where`` (bool, CPU) selects, all by default."""
    image = canvas.image
    if where is None or bool(where.all()):
        return replace(canvas, image=jpeg(image, quality.to(image.device, non_blocking=True)))
    if not bool(where.any()):
        return canvas
    chosen = where.nonzero()[:, 0]
    index = chosen.to(image.device, non_blocking=True)
    coded = jpeg(image[index], quality[chosen].to(image.device, non_blocking=True))
    return replace(canvas, image=image.index_copy(0, index, coded))
