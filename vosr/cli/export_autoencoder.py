"""``export`` of what is no restoration model: autoencoders and light decoders."""

from pathlib import Path
from typing import Any

import torch

from vosr.autoencoders import KLAutoencoder
from vosr.autoencoders.diffusers_vae import DIFFUSERS_FILES
from vosr.autoencoders.kl import read_sizes
from vosr.autoencoders.light_decoder import (
    LIGHT_FILE,
    build_light_decoder,
    load_light_decoder,
    save_light_decoder,
    save_released_light_decoder,
    sizes_in,
)
from vosr.checkpoints.autoencoder_folder import folder_record, is_autoencoder
from vosr.checkpoints.training_state import averaged_weights, newest
from vosr.core.files.atomic import write_atomically
from vosr.core.weights import load_strictly

RELEASED_FILE = "sd21_lwdecoder.pth"


def export_autoencoder(folder: Path, output: Path, layout: str, dtype: torch.dtype | None) -> str:
    """Write what ``autoencoder_folder`` found to ``output``; how it is used then.

    Raises:
        ValueError: the released layout has no word for it.
        FileNotFoundError: it has no weights.
    """
    if is_autoencoder(folder_record(folder)):
        if layout == "vosr":
            raise ValueError("The released layout has no autoencoder in it; export without --layout vosr.")
        _autoencoder(folder).save(output, dtype)
        return f"--model.autoencoder=kl --model.autoencoder.weights={output}"
    decoder = _light_decoder(folder)
    if layout != "vosr":
        output.mkdir(parents=True, exist_ok=True)
        write_atomically(output / LIGHT_FILE, lambda path: save_light_decoder(decoder, path, dtype))
        if (folder / "config.json").is_file():
            text = (folder / "config.json").read_text()
            write_atomically(output / "config.json", lambda path: path.write_text(text))
        return f"--light_decoder {output}"
    sizes = sizes_in(decoder.state_dict())
    if not sizes["attention"] or sizes["out_channels"] != 3:
        raise ValueError(
            "The released layout's decoder attends at its coarsest level and makes single RGB pixels; this one does "
            "not (model.attention, model.widths). Export without --layout vosr."
        )
    output.mkdir(parents=True, exist_ok=True)
    write_atomically(output / RELEASED_FILE, lambda path: save_released_light_decoder(decoder, path, dtype))
    return f"--light_decoder {output / RELEASED_FILE}"


def _autoencoder(folder: Path) -> KLAutoencoder:
    if any((folder / name).is_file() for name in DIFFUSERS_FILES):
        return KLAutoencoder(str(folder))
    network = KLAutoencoder(**read_sizes(folder / DIFFUSERS_FILES[0]))
    load_strictly(network, *_of_checkpoint(folder))
    return network


def _light_decoder(folder: Path) -> Any:
    if (folder / LIGHT_FILE).is_file():
        return load_light_decoder(folder / LIGHT_FILE)
    state, path = _of_checkpoint(folder)
    groups = folder_record(folder).get("norm_num_groups", 32)
    decoder = build_light_decoder(**sizes_in(state), groups=groups)
    load_strictly(decoder, state, path)
    return decoder


def _of_checkpoint(folder: Path) -> tuple[Any, Path]:
    """Averaged weights of the newest checkpoint beside the model folder of a sharded run."""
    checkpoint = newest((folder.parent / "checkpoints").glob("*.ckpt"))
    if checkpoint is None:
        raise FileNotFoundError(f"{folder} has no weights, and its run no checkpoint.")
    return averaged_weights(checkpoint), checkpoint
