"""Golden files and where they lie."""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

GOLDEN = Path(__file__).parents[1] / "golden"


class Golden:
    """One golden file: tensors by name, the metadata's JSON values, and the weights without their prefix."""

    def __init__(self, name: str) -> None:
        path = GOLDEN / f"{name}.safetensors"
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            self.meta = {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
        self.weights = {k.removeprefix("weights."): v for k, v in tensors.items() if k.startswith("weights.")}
        self.tensors = {k: v for k, v in tensors.items() if not k.startswith("weights.")}

    def __getitem__(self, key: str) -> torch.Tensor:
        return self.tensors[key]
