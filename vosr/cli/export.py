"""``export``: averaged weights of a run as a folder to publish, or as graphs for other runtimes."""

from pathlib import Path
from typing import Literal

import torch
from jsonargparse import ArgumentParser, Namespace

from vosr.checkpoints import load_model, save_model, save_released
from vosr.checkpoints.autoencoder_folder import autoencoder_folder
from vosr.checkpoints.fidelity import FAITHFUL
from vosr.checkpoints.find import spelled
from vosr.checkpoints.model_card import write_card
from vosr.checkpoints.model_folder import CONFIG, WEIGHTS
from vosr.checkpoints.released import describe_released
from vosr.cli.engine import add_light_decoder_argument, add_trust_argument
from vosr.cli.export_autoencoder import export_autoencoder
from vosr.core.console import PlainConsole
from vosr.core.files.lock import locked

DTYPES = {"stored": None, "float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
Layout = Literal["native", "vosr", "onnx", "torch_export"]
DType = Literal["stored", "float32", "bfloat16", "float16"]


def add_arguments(parser: ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "--model",
        required=True,
        help="Run or model folder, shipped name, or an autoencoder's or light decoder's run.",
    )
    add_trust_argument(parser)
    add_light_decoder_argument(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, help="Folder to write.")
    parser.add_argument(
        "--layout",
        type=Layout,
        default="native",
        help="native; vosr: the released checkpoints' layout; onnx or torch_export: graphs of a one-step student.",
    )
    parser.add_argument("--dtype", type=DType, default="stored", help="Of the written weights.")
    parser.add_argument(
        "--frozen_parts", type=Path | None, help="Folder with the VAE and DINOv2 of a released model."
    )
    parser.add_argument(
        "--license", type=str | None, help="Of the weights, for the model card; yours to name."
    )
    parser.add_argument(
        "--push", type=str | None, help="Hub repository (owner/name) to publish the folder in."
    )


def run(options: Namespace) -> int:
    """Write the folder; nothing is written when the model cannot be."""
    output, dtype = options.output, DTYPES[options.dtype]
    if output.is_file():
        raise ValueError(f"{output} is a file; give a folder.")
    if options.layout in ("onnx", "torch_export"):
        return _export_graphs(options)
    folder = autoencoder_folder(options.model)
    if folder is not None:
        use = export_autoencoder(folder, output, options.layout, dtype)
        PlainConsole().print(f"Exported {options.model} to {output}; use it by {use}")
        return 0
    model = load_model(
        options.model,
        dtype,
        options.frozen_parts,
        options.trust_remote_code,
        checkpoints=True,
        light_decoder=options.light_decoder,
    )
    if options.layout == "vosr":
        describe_released(model)  # refuses what the layout has no word for
    output.mkdir(parents=True, exist_ok=True)
    with locked(output):
        for name in (WEIGHTS, FAITHFUL, CONFIG, "README.md"):  # an export that was killed leaves these behind
            for leftover in output.glob(f".{name}.*.tmp"):
                leftover.unlink(missing_ok=True)
        if options.layout == "vosr":
            save_released(model, output, dtype)
        else:
            save_model(model, output, dtype, portable=True)
        write_card(model, output, options.model, options.push or output.resolve().name, options.license)
    size = sum(path.stat().st_size for path in output.rglob("*.safetensors")) / 1e6
    PlainConsole().print(f"Exported {options.model} ({size:.1f} MB) to {output}")
    if options.push is not None:
        from vosr.checkpoints.published import push_folder  # an HTTP client

        PlainConsole().print(f"Published: {push_folder(output, options.push)}")
    PlainConsole().print(f"Next: python main.py restore PHOTO -o restored --model {spelled(output)}")
    return 0


def _export_graphs(options: Namespace) -> int:
    from vosr.inference.exported import save_graphs

    if options.dtype not in ("stored", "float32"):
        raise ValueError(f"Graphs are written in float32; --dtype {options.dtype} has no effect on them.")
    model = load_model(
        options.model, torch.float32, options.frozen_parts, options.trust_remote_code, checkpoints=True
    )
    options.output.mkdir(parents=True, exist_ok=True)
    with locked(options.output):
        save_graphs(model, options.output, options.layout)
    PlainConsole().print(f"Exported the graphs of {options.model} to {options.output}")
    return 0
