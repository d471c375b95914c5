"""Pretrained weights: located, loaded strictly, or replaced by reproducible random values."""

from vosr.core.weights.initialise import empty_module, fixed_random, on_meta, random_module
from vosr.core.weights.load import State, check_fit, load_strictly, pretrained_module, read_tensors
from vosr.core.weights.locate import MissingWeightsError, Weights, weights_folder

__all__ = [
    "MissingWeightsError",
    "State",
    "Weights",
    "check_fit",
    "empty_module",
    "fixed_random",
    "load_strictly",
    "on_meta",
    "pretrained_module",
    "random_module",
    "read_tensors",
    "weights_folder",
]
