"""From whatever a user names to a loaded model."""

import difflib
import re
from pathlib import Path

import torch

from vosr.checkpoints.model_folder import CONFIG, load_folder
from vosr.checkpoints.released import download, is_released, load_released
from vosr.checkpoints.released_args import FILE as RELEASED_CONFIG
from vosr.model import RestorationModel

_ON_HUB = re.compile(r"[\w-]+/[\w.-]+/[\w./-]+")
SHIPPED = Path(__file__).parent.parent / "pretrained"


def shipped_names() -> list[str]:
    """Models that come with the package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONFIG}"))


def load_model(
    name_or_path: str | Path, dtype: torch.dtype | None = torch.float32, companions: Path | None = None
) -> RestorationModel:
    """Open a model, on the CPU and in eval mode.

    Args:
        name_or_path: a shipped name; a model folder, ours or a released one; a run folder; or a released model on
            the hub, "CSWRY/VOSR/VOSR_0.5B_os".
        dtype: of the backbone's weights; None keeps what the file has.
        companions: where the pretrained parts of a released model lie, if not in or beside its folder.

    Raises:
        FileNotFoundError: nothing there; the message names what could have been meant.
        ValueError: something there that is not a model.
    """
    path = Path(name_or_path)
    candidates = [path, path / "model", SHIPPED / str(name_or_path)]
    for candidate in candidates:
        if (candidate / CONFIG).is_file():
            return load_folder(candidate, dtype)
    if is_released(path):
        return load_released(path, dtype, companions)
    if not path.exists() and _ON_HUB.fullmatch(str(name_or_path)):
        return load_released(download(str(name_or_path)), dtype, companions)
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
