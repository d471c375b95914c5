"""A one-step model as three graphs for other runtimes: torch.export programs, or ONNX.

| graph | takes | gives |
|---|---|---|
| ``encode`` | ``lq`` (1, 3, H, W) in [0, 1], at the output's size | ``latent`` (1, C, h, w), ``tokens`` (1, M, Z) |
| ``backbone`` | ``latent``, ``tokens``, ``noise`` (1, C, h, w) | ``restored`` (1, C, h, w) |
| ``decode`` | ``restored`` | ``image`` (1, 3, H, W) in [0, 1] |

H and W are multiples of the model's, from two of them up to a tile's side. The record beside them,
:func:`graph_record`, says what a caller needs beside the graphs: enlargement by Pillow's bicubic kernel before them,
colour correction after them.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from vosr.core.files.atomic import write_atomically
from vosr.model import RestorationModel
from vosr.model.conditioner import Conditioner

Kind = Literal["onnx", "torch_export"]
SUFFIXES: dict[Kind, str] = {"onnx": ".onnx", "torch_export": ".pt2"}
RECORD = "graphs.json"
NAMES = {
    "encode": (["lq"], ["latent", "tokens"]),
    "backbone": (["latent", "tokens", "noise"], ["restored"]),
    "decode": (["restored"], ["image"]),
}
LARGEST_TILE = 1024
"""Side of the largest tiles in pixels."""


class _Encode(nn.Module):
    def __init__(self, conditioner: Conditioner) -> None:
        super().__init__()
        self.conditioner = conditioner

    def forward(self, lq: Tensor) -> tuple[Tensor, Tensor]:
        condition = self.conditioner.condition(lq)
        return condition.latent, condition.tokens


class _Step(nn.Module):
    """The one step from t = 1 to r = 0."""

    def __init__(self, model: RestorationModel) -> None:
        super().__init__()
        self.backbone = model.backbone

    def forward(self, latent: Tensor, tokens: Tensor, noise: Tensor) -> Tensor:
        start, end = latent.new_ones(1), latent.new_zeros(1)
        return noise - self.backbone(torch.cat([latent, noise], dim=1), start, tokens, end)


class _Decode(nn.Module):
    def __init__(self, conditioner: Conditioner) -> None:
        super().__init__()
        self.conditioner = conditioner

    def forward(self, restored: Tensor) -> Tensor:
        return self.conditioner.decode(restored)


@torch.no_grad()
def programs(model: RestorationModel) -> dict[str, ExportedProgram]:
    """The three graphs of a model, by name.

    Raises:
        ValueError: it takes more than one step.
    """
    if model.card.kind != "student" or model.sampling.steps != 1 or not model.backbone.end_time:
        raise ValueError("Only one-step students are exported as graphs; distil the teacher first.")
    multiple, patch = model.multiple, model.backbone.patch_size
    rows, columns = (Dim(name, min=2, max=LARGEST_TILE // multiple) for name in ("rows", "columns"))
    pixels: dict[int, Any] = {2: multiple * rows, 3: multiple * columns}
    cells: dict[int, Any] = {2: patch * rows, 3: patch * columns}
    model = model.eval()
    lq = torch.zeros(1, 3, 6 * multiple, 8 * multiple)
    encode = _Encode(model.conditioner)
    latent, tokens = encode(lq)
    parts: dict[str, tuple[nn.Module, tuple[Tensor, ...], tuple[dict[int, Any], ...]]] = {
        "encode": (encode, (lq,), (pixels,)),
        "backbone": (_Step(model), (latent, tokens, torch.zeros_like(latent)), (cells, {}, cells)),
        "decode": (_Decode(model.conditioner), (latent,), (cells,)),
    }
    return {
        name: torch.export.export(module.eval(), inputs, dynamic_shapes=shapes)
        for name, (module, inputs, shapes) in parts.items()
    }


def graph_record(model: RestorationModel) -> dict[str, Any]:
    """What a caller of the graphs has to know of the model."""
    return {
        "format": "vosr-graphs/1",
        "scale": model.card.scale,
        "training_size": model.card.training_size,
        "multiple": model.multiple,
        "largest_tile": LARGEST_TILE,
        "factor": model.conditioner.autoencoder.factor,
        "latent_channels": model.conditioner.autoencoder.latent_channels,
        "temperature": model.sampling.temperature,
        "color_fix": model.card.color_fix,
    }


def save_graphs(model: RestorationModel, folder: Path, kind: Kind) -> None:
    """Write the three graphs and their record into a folder; weights are float32 and inside them.

    Raises:
        ValueError: see :func:`programs`; or packages that ONNX needs are not there.
    """
    graphs = programs(model)
    for name, program in graphs.items():
        target = folder / f"{name}{SUFFIXES[kind]}"
        save = partial(_save_onnx, name, program) if kind == "onnx" else partial(_save_program, program)
        write_atomically(target, save)
    text = json.dumps(graph_record(model), indent=2) + "\n"
    write_atomically(folder / RECORD, lambda path: path.write_text(text))


def _save_program(program: ExportedProgram, path: Path) -> None:
    with path.open("wb") as file:
        torch.export.save(program, file)


def _save_onnx(name: str, program: ExportedProgram, path: Path) -> None:
    try:
        import onnxscript  # noqa: F401  (torch imports it late, and tells less)
    except ImportError as error:
        raise ValueError("ONNX needs packages that are not installed: pip install 'vosr[onnx]'.") from error
    inputs, outputs = NAMES[name]
    made = torch.onnx.export(
        program, (), dynamo=True, input_names=inputs, output_names=outputs, verbose=False
    )
    assert made is not None
    made.save(str(path))
