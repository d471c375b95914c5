"""From whatever a user names to a loaded model."""

from pathlib import Path

import torch

from vosr.autoencoders.light_decoder import with_light_decoder
from vosr.checkpoints.find import find_model
from vosr.checkpoints.model_folder import CONFIG, load_folder
from vosr.checkpoints.released import load_released
from vosr.model import RestorationModel


def load_model(
    name_or_path: str | Path,
    dtype: torch.dtype | None = torch.float32,
    frozen_parts: Path | None = None,
    trust_remote_code: bool = False,
    checkpoints: bool = False,
    fidelity: float | None = None,
    light_decoder: str | None = None,
) -> RestorationModel:
    """Open a model, on the CPU and in eval mode. Its files may be a stranger's: they hold tensors and names only.

    Args:
        name_or_path: a shipped name; a released model, "VOSR_0.5B_os" or "CSWRY/VOSR/VOSR_0.5B_os"; a model folder,
            ours or a released one; a run folder; a name in the folder of weights; or a hub id, "owner/repository" or a
            folder in one. Shipped names and CSWRY/VOSR/… win over a folder of the same name, which is "./NAME", or a
            ``Path``; other folders win over the hub.
        dtype: of the backbone's weights; None keeps what the file has.
        frozen_parts: where the pretrained parts of a released model lie, if not in or beside its folder.
        trust_remote_code: whether a model folder may name classes by dotted paths, whose modules are imported.
        checkpoints: whether a run folder without model.safetensors is put together from its newest checkpoint.
        fidelity: 0 (sharp) to 1 (faithful), of models that have both ends.
        light_decoder: file, folder or run of a light decoder to decode with; None keeps the model's own choice.

    Raises:
        FileNotFoundError: nothing there; the message names what could have been meant.
        ValueError: something there that is not a model.
        UntrustedCodeError: a model folder names code, and ``trust_remote_code`` is false.
    """
    folder = find_model(name_or_path, frozen_parts)
    if (folder / CONFIG).is_file():
        model = load_folder(folder, dtype, trust_remote_code, checkpoints, fidelity)
        if light_decoder is not None:
            conditioner = model.conditioner
            conditioner.autoencoder = with_light_decoder(conditioner.autoencoder, light_decoder)
        return model
    if fidelity is not None:
        raise ValueError(f"{name_or_path} has one set of weights: it takes no fidelity.")
    return load_released(folder, dtype, frozen_parts, light_decoder)
