"""Models on disk."""

from vosr.checkpoints.model_folder import save_model
from vosr.checkpoints.open import load_model
from vosr.checkpoints.released import save_released

__all__ = ["load_model", "save_model", "save_released"]
