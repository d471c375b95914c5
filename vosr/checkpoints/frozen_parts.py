"""The pretrained parts that a released checkpoint needs beside itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

from vosr.autoencoders import AUTOENCODERS, Autoencoder
from vosr.autoencoders.light_decoder import LIGHT_DECODER
from vosr.autoencoders.qwen import QWEN_VAE
from vosr.autoencoders.stable_diffusion import SD2_VAE
from vosr.checkpoints.released_args import ENC_TYPES, ReleasedArgs
from vosr.core.weights import MissingWeightsError, Weights, on_meta
from vosr.encoders import ENCODERS, Encoder
from vosr.encoders.dinov2 import DINOv2


def frozen_parts_of(ae_type: Literal["sd2", "qwen"], size: Literal["b", "l", "g"]) -> dict[str, Weights]:
    """Pretrained files of an autoencoder and of DINOv2 in a size."""
    autoencoder = {"vae": QWEN_VAE} if ae_type == "qwen" else {"vae": SD2_VAE, "light_decoder": LIGHT_DECODER}
    return {**autoencoder, "encoder": DINOv2.spec(size).weights}


def build_frozen_parts(
    args: ReleasedArgs, folder: Path, place: Path | None = None, light_decoder: str | None = None
) -> tuple[Autoencoder, Encoder]:
    """Autoencoder and encoder of a released checkpoint.

    Args:
        args: of the checkpoint.
        folder: of the checkpoint; files are looked for in it and beside it.
        place: further folder to look in, first.
        light_decoder: to decode with; by default the released one of SD 2.1, and the VAE's own decoder of Qwen.

    Raises:
        MissingWeightsError: lists everything that is missing, where to get it and where to put it.
    """
    size = cast(Literal["b", "l", "g"], args.enc_type.removeprefix("dinov2"))
    needed = frozen_parts_of(args.ae_type, size)
    if light_decoder is not None:
        needed.pop("light_decoder", None)
    places = [*([place] if place else []), folder, folder.parent]
    found = dict.fromkeys(needed) if on_meta() else locate_all(needed, folder.name, places)
    last = args.layer == ENC_TYPES[args.enc_type][1] - 1
    encoder = ENCODERS.build(
        "dinov2",
        size=size,
        block=args.layer,
        input_size=args.dinov2_size,
        final_norm=last,  # the released scripts take normalised tokens where the layer is the last
        weights=found["encoder"],
    )
    light = light_decoder or found.get("light_decoder")
    return AUTOENCODERS.build(args.ae_type, weights=found["vae"], light_decoder=light), encoder


def locate_all(needed: Mapping[str, Weights], name: str, places: list[Path]) -> dict[str, str | None]:
    """Where each file of a model is on this machine, downloaded if need be.

    Args:
        needed: the files by part.
        name: of the model, for the message.
        places: folders to look in before the folder of weights.

    Raises:
        MissingWeightsError: one message for everything that is not to be had.
    """
    found: dict[str, str | None] = {}
    missing: list[tuple[Weights, str]] = []
    for part, weights in needed.items():
        path = next((path for place in places if (path := weights.beside(place))), None)
        try:
            found[part] = str(path or weights.locate())
        except MissingWeightsError as error:
            missing.append((weights, error.why))
    if missing:
        raise MissingWeightsError(_message(name, missing))
    return found


def _message(name: str, missing: list[tuple[Weights, str]]) -> str:
    reasons = list(dict.fromkeys(why for _, why in missing))
    shared = f" ({reasons[0]})" if len(reasons) == 1 else ""
    lines = "; ".join(
        f"{weights.title}: {weights.file} of https://huggingface.co/{weights.repo}, to be put at {weights.target()}"
        + ("" if shared else f" ({why})")
        for weights, why in missing
    )
    return f"{name} needs what is not on this machine{shared}: {lines}."
