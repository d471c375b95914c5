"""A complete model at inference: frozen conditioner, guidance, backbone and how it samples."""

from vosr.model.conditioner import Conditioner
from vosr.model.restoration import ColorFix, ModelCard, RestorationModel, Sampling, velocity_field

__all__ = ["ColorFix", "Conditioner", "ModelCard", "RestorationModel", "Sampling", "velocity_field"]
