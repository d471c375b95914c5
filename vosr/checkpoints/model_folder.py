"""Our format: a folder with ``model.safetensors`` (backbone weights) and ``config.json`` (everything else).

Inference rebuilds the model from the folder alone. Frozen parts are named in the record, not stored.
"""

import json
import logging
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file

from vosr.checkpoints import places
from vosr.checkpoints.fidelity import FAITHFUL, blended
from vosr.checkpoints.record import FORMAT, built, explained, read_record
from vosr.core.files.atomic import write_atomically
from vosr.core.registry import describe, rebuild
from vosr.core.weights import State, check_fit, empty_module, load_strictly, on_meta, read_tensors
from vosr.model import ModelCard, RestorationModel, Sampling
from vosr.model.conditioner import Conditioner

log = logging.getLogger(__name__)

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save_model(
    model: RestorationModel, folder: Path, dtype: torch.dtype | None = None, portable: bool = False
) -> None:
    """Write ``model`` to ``folder``, with both ends where it has two; each file appears complete or not at all.

    Args:
        model: to be written.
        folder: made if absent; older files of the same names are replaced.
        dtype: of the stored weights; None keeps them as they are.
        portable: whether files of weights that frozen parts were given by path are copied into the folder; else the
            record names them where they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_weights(model.backbone.state_dict(), folder / WEIGHTS, dtype)
    if model.faithful is None:
        (folder / FAITHFUL).unlink(missing_ok=True)
    else:
        faithful = read_tensors(model.faithful)
        check_fit(model.backbone, faithful, model.faithful)
        _write_weights(faithful, folder / FAITHFUL, dtype)
    save_record(model, folder, portable)


def _write_weights(state: State, path: Path, dtype: torch.dtype | None) -> None:
    weights = {name: value.detach().to("cpu", dtype).contiguous() for name, value in state.items()}
    write_atomically(path, lambda temporary: save_file(weights, temporary, metadata={"format": FORMAT}))


def save_record(model: RestorationModel, folder: Path, portable: bool = False) -> None:
    """Write everything but the weights; enough for :func:`load_folder` under ``torch.device("meta")``."""
    record = {
        "format": FORMAT,
        "backbone": describe(model.backbone),
        "autoencoder": describe(model.conditioner.autoencoder),
        "encoder": describe(model.conditioner.encoder),
        "guidance": describe(model.guidance),
        "sampling": asdict(model.sampling),
        "card": asdict(model.card),
    }
    leads_out = False
    if portable:
        places.gather(record, folder)
    else:
        leads_out = places.spell_out(record)
    write_atomically(folder / CONFIG, lambda path: path.write_text(json.dumps(record, indent=2) + "\n"))
    if leads_out:
        places.remember(folder / CONFIG)


def names_code(model: RestorationModel) -> bool:
    """Whether the record of ``model`` names a class by a dotted path, so that opening it takes trust."""
    parts = (model.backbone, model.conditioner.autoencoder, model.conditioner.encoder, model.guidance)
    return any("." in describe(part)["name"] for part in parts)


def load_folder(
    folder: Path,
    dtype: torch.dtype | None = torch.float32,
    trust_remote_code: bool = False,
    checkpoints: bool = False,
    fidelity: float | None = None,
) -> RestorationModel:
    """Read what :func:`save_model` wrote; on the CPU, eval mode. Under ``torch.device("meta")``, without weights.

    Args:
        folder: to be read.
        dtype: of the backbone's weights; None keeps what the file has.
        trust_remote_code: whether ``config.json`` may name classes by dotted paths, which are imported, and files
            outside its folder that this user has not named.
        checkpoints: whether the weights of a folder that has none are taken from the newest training checkpoint
            beside it, which must be one's own.
        fidelity: of models with two ends, see :func:`vosr.checkpoints.fidelity.blended`; None takes the weights of
            model.safetensors.

    Raises:
        ValueError: the folder is of another format, or the weights do not fit the record.
        UntrustedCodeError: it names code and is not trusted.
        FileNotFoundError: there are no weights.
    """
    path = folder / CONFIG
    record = read_record(path)
    places.confine(record, path, trust_remote_code)
    state, source = ({}, path) if on_meta() else _weights(folder, checkpoints)
    with explained(path):
        depth = record["backbone"]["args"].get("depth")
        if isinstance(depth, int) and not on_meta() and depth > len(state):
            raise ValueError(f"{path} says depth {depth}, but {source} has {len(state)} tensors in all.")
        backbone = empty_module(lambda: rebuild("backbone", record["backbone"], trust_remote_code))
        if not on_meta():
            if fidelity is not None:
                check_fit(backbone, state, source)
                state = blended(state, backbone, folder, fidelity)
            load_strictly(backbone, state, source, dtype)
        autoencoder, encoder, guidance = (
            rebuild(kind, record[kind], trust_remote_code) for kind in ("autoencoder", "encoder", "guidance")
        )
        model = RestorationModel(
            Conditioner(autoencoder, encoder),
            backbone,
            guidance,
            built(path, "sampling", Sampling, record.get("sampling")),
            built(path, "card", ModelCard, record.get("card")),
        )
    if fidelity is None and (folder / FAITHFUL).is_file():
        model.faithful = folder / FAITHFUL
    _compare_frozen(model, path)
    return model.eval()


def _compare_frozen(model: RestorationModel, path: Path) -> None:
    """Log which frozen parts are not those that the model was trained with."""
    expected = model.card.frozen
    found = model.conditioner.fingerprints() if expected and not on_meta() else expected
    for part in sorted(part for part in expected if found.get(part) != expected[part]):
        log.warning(
            "The weights of the %s are not those that %s was trained with (fingerprint %s, not %s): results differ.",
            part,
            path.parent,
            found.get(part, "none"),
            expected[part],
        )


def _weights(folder: Path, checkpoints: bool) -> tuple[State, Path]:
    """Tensors, and where they are from."""
    if (folder / WEIGHTS).is_file():
        return read_tensors(folder / WEIGHTS), folder / WEIGHTS
    from vosr.checkpoints.training_state import averaged_weights, newest  # brings torch.distributed: slow

    checkpoint = newest((folder.parent / "checkpoints").glob("*.ckpt")) if checkpoints else None
    if checkpoint is not None:
        return averaged_weights(checkpoint), checkpoint
    if checkpoints:
        raise FileNotFoundError(f"{folder} has no {WEIGHTS} yet, and its run has no checkpoint.")
    raise FileNotFoundError(
        f"{folder} has no {WEIGHTS}. If it is of a sharded run of your own, put its weights together first: "
        f"python main.py export --model {folder.parent} -o FOLDER."
    )
