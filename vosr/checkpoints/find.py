"""From what a user calls a model to its folder, which is downloaded if need be."""

import difflib
import logging
import re
from pathlib import Path

from vosr.checkpoints.catalogue import RELEASES, REPO, SHIPPED, Release, release_of, shipped_names
from vosr.checkpoints.fidelity import FAITHFUL
from vosr.checkpoints.frozen_parts import locate_all
from vosr.checkpoints.model_folder import CONFIG, WEIGHTS
from vosr.checkpoints.places import PARTS
from vosr.checkpoints.released import AVERAGED, is_released
from vosr.checkpoints.released_args import FILE
from vosr.core.weights import MissingWeightsError, weights_folder

log = logging.getLogger(__name__)

_PART = r"[\w-][\w.-]*"
_ON_HUB = re.compile(rf"{_PART}/{_PART}(/{_PART})*")


def spelled(folder: Path) -> str:
    """How a folder is given as ``--model``: ``./NAME`` where the name alone could be a model's."""
    text = str(folder)
    return text if folder.is_absolute() or text.startswith(".") else f"./{text}"


def is_hub_id(name: str) -> bool:
    """Whether a model of this name is on the hub: "owner/repository", or a folder in one.

    A name whose first part is a folder here is a path, whether it exists or not.
    """
    if name.startswith(f"{REPO}/"):
        return True
    return _ON_HUB.fullmatch(name) is not None and not Path(name.partition("/")[0]).exists()


def model_in(folder: Path) -> Path | None:
    """The folder that holds the model's files: this one, or a run folder's ``model``."""
    return next(
        (one for one in (folder, folder / "model") if (one / CONFIG).is_file() or is_released(one)), None
    )


def local_folder(name_or_path: str | Path) -> Path | None:
    """The model of this name on this machine; None if there is none, though it may be on the hub."""
    if isinstance(name_or_path, str):
        if name_or_path in shipped_names():
            return SHIPPED / name_or_path
        if name_or_path.startswith(f"{REPO}/"):
            return model_in(place_of(name_or_path))
    here = model_in(Path(name_or_path))
    if here is None and isinstance(name_or_path, str) and not Path(name_or_path).is_absolute():
        return model_in(weights_folder() / name_or_path)
    return here


def place_of(name: str) -> Path:
    """Where the model of a hub id is put."""
    return weights_folder() / name.removeprefix(f"{REPO}/")


def find_model(name_or_path: str | Path, frozen_parts: Path | None = None) -> Path:
    """The folder of a model.

    Args:
        name_or_path: see :func:`vosr.checkpoints.load_model`.
        frozen_parts: where the pretrained parts of a released model lie, if not in or beside its folder.

    Raises:
        FileNotFoundError: nothing there; the message names what could have been meant.
        ValueError: something there that is not a model.
    """
    named = isinstance(name_or_path, str)
    if named and (name_or_path in shipped_names() or str(name_or_path).startswith(f"{REPO}/")):
        _warn_of_folder(Path(name_or_path))
    folder = local_folder(name_or_path)
    release = release_of(name_or_path) if isinstance(name_or_path, str) else None
    if release is not None and folder in (None, place_of(release.name)):
        return _released(release, frozen_parts)
    if folder is not None:
        return folder
    if Path(name_or_path).exists():
        raise ValueError(
            f"{name_or_path} holds no model: expected {CONFIG} or {FILE} in it, or a folder 'model'."
        )
    if isinstance(name_or_path, str) and is_hub_id(name_or_path):
        return _from_hub(name_or_path)
    known = [*shipped_names(), *RELEASES]
    near = difflib.get_close_matches(str(name_or_path), [*known, *local_names()], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise FileNotFoundError(
        f"No model {str(name_or_path)!r}.{hint} Give a model folder, a run folder, a hub id, or one of: "
        f"{', '.join(known)}."
    )


def local_names() -> list[str]:
    """Models in the folder of weights, by the names that open them."""
    folder = weights_folder()
    found = (
        path.parent for name in (CONFIG, FILE) for path in folder.glob(f"**/{name}") if is_model(path.parent)
    )
    return sorted({str(path.relative_to(folder)) for path in found})


def is_model(folder: Path) -> bool:
    """Whether a folder is a model of ours or a released one; a VAE's has a config.json too."""
    if is_released(folder):
        return True
    return (folder / CONFIG).is_file() and '"vosr/' in (folder / CONFIG).read_text(errors="replace")[:4096]


def _released(release: Release, frozen_parts: Path | None) -> Path:
    """Folder of a released model with all it needs on this machine; missing parts are reported together."""
    found = locate_all(release.parts(), release.name, [frozen_parts] if frozen_parts else [])
    return Path(str(found["settings"])).parent


def files_on_hub(name: str) -> tuple[str, str, list[str]]:
    """A model that somebody published, in our layout or in the released one: repository, folder in it, files in that.

    Raises:
        HubError: there is none, or the hub does not answer.
    """
    from vosr.core.hub import files_of  # an HTTP client
    from vosr.core.hub.failures import NotOnHubError, nearest

    owner, repository, *below = name.split("/")
    repo, folder = f"{owner}/{repository}", "".join(f"{part}/" for part in below)
    files = files_of(repo)
    wanted = _files_of_model(set(files), folder)
    if not wanted:
        models = [str(Path(file).parent) for file in files if Path(file).name in (CONFIG, FILE)]
        raise NotOnHubError(f"{repo} has no model {folder.rstrip('/')!r}.{nearest(folder, models)}")
    return repo, folder, wanted


def _from_hub(name: str) -> Path:
    """Folder of a model that somebody published.

    Raises:
        MissingWeightsError: it is not to be had; says why.
    """
    from vosr.core.hub import HubError, cached, fetch

    owner, repository, *below = name.split("/")
    known = [cached(f"{owner}/{repository}", "/".join([*below, file])) for file in (CONFIG, WEIGHTS)]
    if known[0] is not None and known[1] is not None:
        return known[0].parent
    place = place_of(name)
    try:
        repo, folder, files = files_on_hub(name)
        log.warning("Downloading %s from the hub to %s.", name, place)
        for file in files:
            fetch(repo, f"{folder}{file}", place / file)
    except HubError as error:
        raise MissingWeightsError(
            f"No model {name!r}: no such folder here, and {error}.", str(error)
        ) from error
    return place


def _files_of_model(files: set[str], folder: str) -> list[str]:
    """What a model consists of; its settings come last, so that a folder that has them is whole."""
    inside = [file for file in (FAITHFUL, WEIGHTS, CONFIG) if f"{folder}{file}" in files]
    if {WEIGHTS, CONFIG} <= set(inside):
        below = f"{folder}{PARTS}/"
        parts = (file for file in files if file.startswith(below) and ".." not in file.split("/"))
        return [*(file.removeprefix(folder) for file in sorted(parts)), *inside]
    weights = next((file for file in AVERAGED if f"{folder}{file}" in files), None)
    return [weights, FILE] if weights is not None and f"{folder}{FILE}" in files else []


def _warn_of_folder(path: Path) -> None:
    if path.exists():
        log.warning("%s is the model of that name; the folder here is %s.", path, spelled(path))
