"""A complete model at inference: frozen conditioner, guidance, backbone and how it samples."""

from vosr.core.options import ColorFix
from vosr.model.conditioner import Conditioner
from vosr.model.restoration import ModelCard, RestorationModel, Sampling, velocity_field

__all__ = ["ColorFix", "Conditioner", "ModelCard", "RestorationModel", "Sampling", "velocity_field"]
