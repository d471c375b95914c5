"""Registered autoencoders."""

from vosr.autoencoders.base import Autoencoder
from vosr.registry import Registry

AUTOENCODERS: Registry[Autoencoder] = Registry("autoencoder", Autoencoder)

__all__ = ["AUTOENCODERS", "Autoencoder"]
