"""From whatever a user names to a loaded model."""

import difflib
import logging
import re
from pathlib import Path

import torch

from vosr.checkpoints.model_folder import CONFIG, load_folder
from vosr.checkpoints.released import REPO, download, is_released, load_released
from vosr.checkpoints.released_args import FILE as RELEASED_CONFIG
from vosr.model import RestorationModel

log = logging.getLogger(__name__)

_ON_HUB = re.compile(r"[\w-]+/[\w.-]+/[\w./-]+")
SHIPPED = Path(__file__).parent.parent / "pretrained"


def shipped_names() -> list[str]:
    """Models that come with the package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONFIG}"))


def is_hub_id(name: str) -> bool:
    """Whether a model of this name is downloaded."""
    return name.startswith(f"{REPO}/") or (not Path(name).exists() and _ON_HUB.fullmatch(name) is not None)


def spelled(folder: Path) -> str:
    """How a folder is given as ``--model``: ``./NAME`` where the name alone could be a model's."""
    text = str(folder)
    return text if folder.is_absolute() or text.startswith(".") else f"./{text}"


def load_model(
    name_or_path: str | Path,
    dtype: torch.dtype | None = torch.float32,
    companions: Path | None = None,
    trust_remote_code: bool = False,
    checkpoints: bool = False,
    fidelity: float | None = None,
) -> RestorationModel:
    """Open a model, on the CPU and in eval mode. Its files may be a stranger's: they hold tensors and names only.

    Args:
        name_or_path: a shipped name; a released model on the hub, "CSWRY/VOSR/VOSR_0.5B_os"; a model folder, ours or
            a released one; or a run folder. These names win over a folder of the same name, which is "./NAME", or a
            ``Path``.
        dtype: of the backbone's weights; None keeps what the file has.
        companions: where the pretrained parts of a released model lie, if not in or beside its folder.
        trust_remote_code: whether a model folder may name classes by dotted paths, whose modules are imported.
        checkpoints: whether a run folder without model.safetensors is put together from its newest checkpoint.
        fidelity: 0 (sharp) to 1 (faithful), of models that have both ends.

    Raises:
        FileNotFoundError: nothing there; the message names what could have been meant.
        ValueError: something there that is not a model.
        UntrustedCodeError: a model folder names code, and ``trust_remote_code`` is false.
    """
    path = Path(name_or_path)
    if isinstance(name_or_path, str):
        if name_or_path in shipped_names():
            _tell_of_folder(path)
            return load_folder(SHIPPED / name_or_path, dtype, fidelity=fidelity)
        if is_hub_id(name_or_path):
            _tell_of_folder(path)
            _refuse_fidelity(name_or_path, fidelity)
            return load_released(download(name_or_path), dtype, companions)
    for candidate in (path, path / "model"):
        if (candidate / CONFIG).is_file():
            return load_folder(candidate, dtype, trust_remote_code, checkpoints, fidelity)
    if is_released(path):
        _refuse_fidelity(path, fidelity)
        return load_released(path, dtype, companions)
    if path.exists():
        raise ValueError(
            f"{path} holds no model: expected {CONFIG} or {RELEASED_CONFIG} in it, or a folder 'model'."
        )
    near = difflib.get_close_matches(str(name_or_path), shipped_names(), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise FileNotFoundError(
        f"No model {str(name_or_path)!r}.{hint} Give a model folder, a run folder, or one of: "
        f"{', '.join(shipped_names())}."
    )


def _refuse_fidelity(name: str | Path, fidelity: float | None) -> None:
    if fidelity is not None:
        raise ValueError(f"{name} has one set of weights: it takes no fidelity.")


def _tell_of_folder(path: Path) -> None:
    if path.exists():
        log.warning("%s is the model of that name; the folder here is %s.", path, spelled(path))
