"""Registered degradations."""

from vosr.degradations.base import Degradation, DegradationParams
from vosr.degradations.gaussian_noise import GaussianNoise
from vosr.degradations.real_esrgan import RealESRGAN, Stage
from vosr.registry import Registry

DEGRADATIONS: Registry[Degradation] = Registry("degradation", Degradation)
DEGRADATIONS.add("real_esrgan", RealESRGAN)
DEGRADATIONS.add("gaussian_noise", GaussianNoise)

__all__ = ["DEGRADATIONS", "Degradation", "DegradationParams", "GaussianNoise", "RealESRGAN", "Stage"]
