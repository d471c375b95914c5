"""A student with two ends: weights that are sharp, and weights that are faithful."""

from pathlib import Path

from torch import nn

from vosr.core.weights import State, check_fit, read_tensors

FAITHFUL = "faithful.safetensors"
"""Beside model.safetensors: the weights at fidelity 1. Those of model.safetensors are fidelity 0."""


def blended(sharp: State, backbone: nn.Module, folder: Path, fidelity: float) -> State:
    """Weights between the two ends, w = (1 - fidelity) * sharp + fidelity * faithful (docs/method.md#fidelity).

    Args:
        sharp: weights of the folder's model.safetensors.
        backbone: has the names and shapes; may be on the meta device.
        folder: model folder.
        fidelity: 0 (sharp) to 1 (faithful).

    Raises:
        ValueError: fidelity outside [0, 1], a model with one set of weights, or weights that do not fit.
    """
    if not 0 <= fidelity <= 1:
        raise ValueError(f"fidelity must be in [0, 1], not {fidelity}.")
    path = folder / FAITHFUL
    if not path.is_file():
        raise ValueError(f"{folder} has one set of weights: it takes no fidelity (no {FAITHFUL} in it).")
    faithful: State = read_tensors(path)
    check_fit(backbone, faithful, path)
    return {name: value.float().lerp(faithful[name].float(), fidelity) for name, value in sharp.items()}
