"""Registered degradations."""

from vosr.core.registry import Registry
from vosr.degradations.base import Degradation, DegradationParams
from vosr.degradations.blur import DefocusBlur, GaussianBlur, GeneralizedBlur, MotionBlur, Sinc
from vosr.degradations.colour import ColorJitter, Grayscale
from vosr.degradations.compose import Choice, Sequence, Shuffle
from vosr.degradations.compression import JPEG, WebP
from vosr.degradations.gaussian_noise import GaussianNoise
from vosr.degradations.kornia_augmentation import KorniaAugmentation
from vosr.degradations.low_resolution import LowResolution
from vosr.degradations.real_esrgan import RealESRGAN, Stage
from vosr.degradations.resizing import Resize
from vosr.degradations.sensor_noise import PoissonNoise, SpeckleNoise

DEGRADATIONS: Registry[Degradation] = Registry("degradation", Degradation)
DEGRADATIONS.add("real_esrgan", RealESRGAN)
DEGRADATIONS.add("gaussian_blur", GaussianBlur)
DEGRADATIONS.add("generalized_blur", GeneralizedBlur)
DEGRADATIONS.add("motion_blur", MotionBlur)
DEGRADATIONS.add("defocus_blur", DefocusBlur)
DEGRADATIONS.add("sinc", Sinc)
DEGRADATIONS.add("resize", Resize)
DEGRADATIONS.add("low_resolution", LowResolution)
DEGRADATIONS.add("gaussian_noise", GaussianNoise)
DEGRADATIONS.add("poisson_noise", PoissonNoise)
DEGRADATIONS.add("speckle_noise", SpeckleNoise)
DEGRADATIONS.add("jpeg", JPEG)
DEGRADATIONS.add("webp", WebP)
DEGRADATIONS.add("color_jitter", ColorJitter)
DEGRADATIONS.add("grayscale", Grayscale)
DEGRADATIONS.add("kornia", KorniaAugmentation)
DEGRADATIONS.add("sequence", Sequence)
DEGRADATIONS.add("shuffle", Shuffle)
DEGRADATIONS.add("choice", Choice)

__all__ = [
    "DEGRADATIONS",
    "JPEG",
    "Choice",
    "ColorJitter",
    "DefocusBlur",
    "Degradation",
    "DegradationParams",
    "GaussianBlur",
    "GaussianNoise",
    "GeneralizedBlur",
    "Grayscale",
    "KorniaAugmentation",
    "LowResolution",
    "MotionBlur",
    "PoissonNoise",
    "RealESRGAN",
    "Resize",
    "Sequence",
    "Shuffle",
    "Sinc",
    "SpeckleNoise",
    "Stage",
    "WebP",
]
