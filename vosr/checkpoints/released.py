"""Layout of the released checkpoints: ``args.json`` and ``checkpoints/ema_model.safetensors``.

See docs/method.md#released-checkpoints.
"""

import json
import logging
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from vosr.backbones import LightningDiT
from vosr.backbones.lightning_dit import ROTARY_THETA
from vosr.backbones.rope import rotary_angles
from vosr.checkpoints.frozen_parts import build_frozen_parts
from vosr.checkpoints.record import explained
from vosr.checkpoints.released_args import ENC_TYPES, FILE, ReleasedArgs, read_args
from vosr.core.files.atomic import write_atomically
from vosr.core.weights import State, empty_module, load_strictly, read_tensors
from vosr.encoders.dinov2 import DINOv2
from vosr.guidance import RestorationGuidance
from vosr.model import ModelCard, RestorationModel, Sampling
from vosr.model.conditioner import Conditioner

log = logging.getLogger(__name__)

FACTOR = 8
CHANNELS = {"sd2": 4, "qwen": 16}
AVERAGED = tuple(f"{place}ema_model.safetensors" for place in ("checkpoints/", "clean_weights/", ""))
PLAIN = tuple(f"{place}model.safetensors" for place in ("checkpoints/", "clean_weights/", ""))
_WRAPPERS = ("module.", "_orig_mod.", "ema_model.")
_BOOKKEEPING = ("n_averaged", "step_count", "decay")
_ROPE = "feat_rope."


def is_released(folder: Path) -> bool:
    """Whether ``folder`` is in the released layout."""
    return (folder / FILE).is_file()


def load_released(
    folder: Path,
    dtype: torch.dtype | None = torch.float32,
    frozen_parts: Path | None = None,
    light_decoder: str | None = None,
) -> RestorationModel:
    """Open a folder in the released layout; on the CPU, in eval mode.

    Args:
        folder: with args.json.
        dtype: of the backbone's weights; None keeps what the file has.
        frozen_parts: where the VAE, DINOv2 and the light decoder lie, if not in or beside the folder.
        light_decoder: another light decoder, for either autoencoder.

    Raises:
        ValueError: a key of args.json, or weights, that do not fit.
        MissingWeightsError: weights or frozen parts that are missing.
    """
    with explained(folder / FILE):
        args = read_args(folder / FILE)
        backbone = load_backbone(folder, args, dtype)
        autoencoder, encoder = build_frozen_parts(args, folder, frozen_parts, light_decoder)
    single = args.distill_type == "onestep"
    student = backbone.end_time or single
    model = RestorationModel(
        Conditioner(autoencoder, encoder),
        backbone,
        args.guidance(),
        Sampling(steps=1 if student else args.infer_steps or 25),
        ModelCard(
            kind="student" if student else "teacher",
            training_size=args.resolution,
            color_fix="wavelet" if single else "adain",
        ),
    )
    return model.eval()


def load_backbone(
    folder: Path, args: ReleasedArgs, dtype: torch.dtype | None = torch.float32
) -> LightningDiT:
    """The backbone alone; weights stay memory-mapped where the file has ``dtype`` already."""
    path = _weights_file(folder)
    state = _clean(read_tensors(path))
    if args.depth > len(state):
        raise ValueError(
            f"{folder / FILE} says depth {args.depth}, but {path} has {len(state)} tensors in all."
        )
    end_time = any(key.startswith("r_embedder.") for key in state)
    backbone = empty_module(
        lambda: LightningDiT(
            CHANNELS[args.ae_type],
            args.enc_dim,
            args.dim,
            args.depth,
            args.num_heads,
            args.patch_size,
            args.resolution // FACTOR,
            args.mlp_ratio,
            args.encdim_ratio,
            end_time=end_time,
        )
    )
    load_strictly(backbone, state, path, dtype)
    return backbone


def save_released(model: RestorationModel, folder: Path, dtype: torch.dtype | None = None) -> None:
    """Write ``model`` in the released layout; frozen parts are not copied.

    Args:
        model: an `sd2` or `qwen` model with a DINOv2 encoder, the paper's guidance and an unchanged LightningDiT.
        folder: made if absent.
        dtype: of the stored weights; None keeps them as they are.

    Raises:
        ValueError: the layout has no word for a part of this model.
    """
    args = describe_released(model)
    backbone = model.backbone
    assert isinstance(backbone, LightningDiT)
    state: dict[str, Tensor] = {
        key: value.detach().to("cpu", dtype).contiguous() for key, value in backbone.state_dict().items()
    }
    grid = backbone.trained_tokens
    pairs = rotary_angles(grid, grid, backbone.head_dim, ROTARY_THETA, torch.device("cpu"))
    angles = pairs.repeat_interleave(2, dim=1)  # the layout has both channels of a pair
    state |= {f"{_ROPE}freqs_cos": angles.cos().contiguous(), f"{_ROPE}freqs_sin": angles.sin().contiguous()}
    weights = folder / AVERAGED[0]
    weights.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(weights, lambda path: save_file(state, path))
    text = json.dumps(args.record(), indent=4) + "\n"
    write_atomically(folder / FILE, lambda path: path.write_text(text))


def describe_released(model: RestorationModel) -> ReleasedArgs:
    """The content of args.json for ``model``.

    Raises:
        ValueError: the layout has no word for a part of this model.
    """
    backbone, guidance = model.backbone, model.guidance
    encoder, autoencoder = model.conditioner.encoder, model.conditioner.autoencoder
    ae_type = {"StableDiffusionVAE": "sd2", "QwenVAE": "qwen"}.get(type(autoencoder).__name__)
    problems = [
        *([] if ae_type else [f"autoencoder {type(autoencoder).__name__}"]),
        *([] if isinstance(encoder, DINOv2) else [f"encoder {type(encoder).__name__}"]),
        *([] if isinstance(guidance, RestorationGuidance) else [f"guidance {type(guidance).__name__}"]),
    ]
    if not isinstance(backbone, LightningDiT):
        problems.append(f"backbone {type(backbone).__name__}")
    elif (backbone.rotary, backbone.prediction) != ("rescaled", "velocity"):
        problems.append(f"backbone options rotary={backbone.rotary}, prediction={backbone.prediction}")
    if problems:
        raise ValueError(
            f"The released layout has no word for {'; '.join(problems)}; export without --layout vosr."
        )
    assert isinstance(encoder, DINOv2)  # for the type checker: a problem otherwise
    b, e, g = backbone.init_args, encoder.init_args, guidance.init_args
    enc_type = f"dinov2{e['size']}"
    if enc_type not in ENC_TYPES or e["registers"]:
        raise ValueError(
            "The released layout has no word for this DINOv2 variant; export without --layout vosr."
        )
    single = model.card.kind == "student" and not backbone.end_time
    return ReleasedArgs(
        ae_type=ae_type,  # type: ignore[arg-type]
        resolution=b["latent_grid"] * FACTOR,
        patch_size=b["patch_size"],
        dim=b["width"],
        depth=b["depth"],
        num_heads=b["heads"],
        mlp_ratio=b["mlp_ratio"],
        enc_type=enc_type,
        enc_dim=encoder.dim,
        layer=encoder.block,
        dinov2_size=e["input_size"],
        encdim_ratio=b["semantic_ratio"],
        cfg_scale=g["scale"],
        cfg_ratio=g["partial_probability"],
        partial_strength=g["partial_strength"],
        partial_range=tuple(g["partial_strength_range"]),
        fidelity_logit=g["fidelity_logit"],
        t_start=g["interval"][0],
        t_end=g["interval"][1],
        distill_type="onestep" if single else ("rcgm" if model.card.kind == "student" else None),
        infer_steps=model.sampling.steps,
    )


def _weights_file(folder: Path) -> Path:
    for name in AVERAGED:
        if (folder / name).is_file():
            return folder / name
    for name in PLAIN:
        if (folder / name).is_file():
            log.warning("%s has no averaged weights; using %s.", folder, name)
            return folder / name
    raise FileNotFoundError(f"{folder} has {FILE} but no weights: expected {AVERAGED[0]} in it.")


def _clean(state: State) -> State:
    """Names without the prefixes that wrappers of training leave, and without buffers that are recomputed."""
    cleaned: State = {}
    for name, value in state.items():
        while name.startswith(_WRAPPERS):
            name = name.split(".", 1)[1]
        if not name.startswith(_ROPE) and name not in _BOOKKEEPING:
            cleaned[name] = value
    return cleaned
