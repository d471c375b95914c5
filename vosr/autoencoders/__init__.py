"""Registered autoencoders."""

from vosr.autoencoders.base import Autoencoder
from vosr.autoencoders.dct import DCTAutoencoder
from vosr.registry import Registry

AUTOENCODERS: Registry[Autoencoder] = Registry("autoencoder", Autoencoder)  # type: ignore[type-abstract]
AUTOENCODERS.add("dct", DCTAutoencoder)

__all__ = ["AUTOENCODERS", "Autoencoder", "DCTAutoencoder"]
