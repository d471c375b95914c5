"""The pretrained parts that a released checkpoint needs beside itself."""

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


def build_companions(
    args: ReleasedArgs, folder: Path, place: Path | None = None
) -> tuple[Autoencoder, Encoder]:
    """Autoencoder and encoder of a released checkpoint.

    Args:
        args: of the checkpoint.
        folder: of the checkpoint; files are looked for in it and beside it.
        place: further folder to look in, first.

    Raises:
        MissingWeightsError: lists everything that is missing, where to get it and where to put it.
    """
    size = cast(Literal["b", "l", "g"], args.enc_type.removeprefix("dinov2"))
    needed = {"encoder": DINOv2.spec(size).weights}
    needed |= (
        {"vae": QWEN_VAE} if args.ae_type == "qwen" else {"vae": SD2_VAE, "light_decoder": LIGHT_DECODER}
    )
    places = [*([place] if place else []), folder, folder.parent]
    found = dict.fromkeys(needed) if on_meta() else _locate(needed, places, folder)
    last = args.layer == ENC_TYPES[args.enc_type][1] - 1
    encoder = ENCODERS.build(
        "dinov2",
        size=size,
        block=args.layer,
        input_size=args.dinov2_size,
        final_norm=last,  # the released scripts take normalised tokens where the layer is the last
        weights=found["encoder"],
    )
    light = {"light_decoder": found["light_decoder"]} if "light_decoder" in found else {}
    return AUTOENCODERS.build(args.ae_type, weights=found["vae"], **light), encoder


def _locate(needed: dict[str, Weights], folders: list[Path], home: Path) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    missing: list[Weights] = []
    for name, weights in needed.items():
        path = next((path for place in folders if (path := weights.beside(place))), None)
        try:
            found[name] = str(path or weights.locate())
        except MissingWeightsError:
            missing.append(weights)
    if missing:
        lines = "; ".join(
            f"{w.title} ({w.file} of https://huggingface.co/{w.repo}, to be put at {home.parent / w.shared[0]})"
            for w in missing
        )
        raise MissingWeightsError(f"{home.name} also needs: {lines}.")
    return found
