"""From whatever a user names to a loaded model."""

import difflib
from pathlib import Path

from vosr.checkpoints.model_folder import CONFIG, load_folder
from vosr.model import RestorationModel

SHIPPED = Path(__file__).parent.parent / "pretrained"


def shipped_names() -> list[str]:
    """Models that come with the package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONFIG}"))


def load_model(name_or_path: str | Path) -> RestorationModel:
    """Open a shipped model by name, or a model folder or a run folder by path.

    Raises:
        FileNotFoundError: nothing there; the message names what could have been meant.
        ValueError: something there that is not a model.
    """
    path = Path(name_or_path)
    candidates = [path, path / "model", SHIPPED / str(name_or_path)]
    for candidate in candidates:
        if (candidate / CONFIG).is_file():
            return load_folder(candidate)
    if path.exists():
        raise ValueError(f"{path} holds no model: expected {CONFIG} in it or in {path / 'model'}.")
    near = difflib.get_close_matches(str(name_or_path), shipped_names(), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise FileNotFoundError(
        f"No model {str(name_or_path)!r}.{hint} Give a model folder, a run folder, or one of: "
        f"{', '.join(shipped_names())}."
    )
