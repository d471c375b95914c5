"""Registered autoencoders."""

from vosr.autoencoders.base import Autoencoder
from vosr.autoencoders.dct import DCTAutoencoder
from vosr.autoencoders.kl import KLAutoencoder
from vosr.autoencoders.pixel_shuffle import PixelShuffleAutoencoder
from vosr.autoencoders.qwen import QwenVAE
from vosr.autoencoders.stable_diffusion import StableDiffusionVAE
from vosr.core.registry import Registry

AUTOENCODERS: Registry[Autoencoder] = Registry("autoencoder", Autoencoder)
AUTOENCODERS.add("dct", DCTAutoencoder)
AUTOENCODERS.add("kl", KLAutoencoder)
AUTOENCODERS.add("pixel_shuffle", PixelShuffleAutoencoder)
AUTOENCODERS.add("sd2", StableDiffusionVAE)
AUTOENCODERS.add("qwen", QwenVAE)

__all__ = [
    "AUTOENCODERS",
    "Autoencoder",
    "DCTAutoencoder",
    "KLAutoencoder",
    "PixelShuffleAutoencoder",
    "QwenVAE",
    "StableDiffusionVAE",
]
