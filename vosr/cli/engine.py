"""Options of the model and its settings, shared by ``restore`` and ``video``."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from vosr.core.options import ColorFix, DTypeName, Semantics

if TYPE_CHECKING:
    from vosr.jobs.recipe import Recipe

DEFAULT_MODEL = "vosr_small_student"


def add_engine_arguments(parser: ArgumentParser) -> None:
    """Options of the model and of how it restores."""
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="Shipped name, model or run folder (./NAME), or hub id."
    )
    add_trust_argument(parser)
    parser.add_argument(
        "--frozen_parts", type=Path | None, help="Folder with the VAE and DINOv2 of a released model."
    )
    add_light_decoder_argument(parser)
    parser.add_argument(
        "--scale", type=float | None, help="Enlargement, at least 1; the trained one if not given."
    )
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"), help="Of the results, instead of --scale."
    )
    parser.add_argument(
        "--steps", type=int | None, help="Evaluations of the model; its own default if not given."
    )
    parser.add_argument("--guidance_scale", type=float | None, help="Teachers: larger is more faithful.")
    parser.add_argument(
        "--partial_strength", type=float | None, help="Teachers: anchor of the partial branch."
    )
    parser.add_argument(
        "--fidelity",
        type=float | None,
        help="0 (sharp) to 1 (faithful), of models with both ends; the model's own weights if not given.",
    )
    parser.add_argument("--seed", type=int | None, help="Of the noise; made from each image if not given.")
    parser.add_argument(
        "--color_fix", type=ColorFix | None, help="Colour correction; the model's own if not given."
    )
    _add_work_arguments(parser)


def add_light_decoder_argument(parser: ArgumentParser) -> None:
    """The option that replaces the decoder of the model's autoencoder."""
    parser.add_argument(
        "--light_decoder",
        type=str | None,
        help="File, folder or run of a light decoder to decode with (configs/light_decoder.yaml trains one).",
    )


def add_trust_argument(parser: ArgumentParser) -> None:
    """The option that lets a model folder name code."""
    parser.add_argument(
        "--trust_remote_code",
        "--trust-remote-code",
        action="store_true",
        help="Import classes that the model's config.json names by dotted paths.",
    )


def _add_work_arguments(parser: ArgumentParser) -> None:
    work = parser.add_argument_group("Memory and speed")
    work.add_argument(
        "--tile",
        type=int | None,
        help="Side of tiles in output pixels; 0 for none; the training size where an image needs tiles.",
    )
    work.add_argument(
        "--semantics", type=Semantics, default="tile", help="What the vision encoder reads for a tile."
    )
    work.add_argument(
        "--memory", type=float | None, help="GiB to work with; half of what is free if not given."
    )
    work.add_argument(
        "--dtype", type=DTypeName, default="auto", help="Of the backbone: float16 on CUDA, float32 elsewhere."
    )
    work.add_argument(
        "--encoder_dtype", type=DTypeName, default="auto", help="Of the vision encoder: as the backbone."
    )
    work.add_argument("--autoencoder_dtype", type=DTypeName, default="auto", help="float32 if not given.")
    work.add_argument("--compile", action="store_true", help="Run the backbone through torch.compile.")


def recipe_of(options: Namespace) -> "Recipe":
    """The parsed options of the command line as plain values.

    Raises:
        ValueError: scale and size at once, or a scale below 1.
    """
    from vosr.inference import Precision, Settings  # help does without torch
    from vosr.jobs.recipe import Recipe

    given = {field.name: options[field.name] for field in fields(Settings)}
    given["size"] = None if given["size"] is None else tuple(given["size"])
    settings = Settings(**given)
    settings.check_size()
    precision = Precision(options.dtype, options.encoder_dtype, options.autoencoder_dtype)
    return Recipe(
        options.model,
        settings,
        precision,
        options.frozen_parts,
        options.compile,
        options.trust_remote_code,
        options.fidelity,
        options.light_decoder,
    )
