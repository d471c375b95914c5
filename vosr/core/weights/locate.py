"""Where a file of pretrained weights lies on this machine, downloaded from the Hugging Face hub if need be.

Local files come first: the place that the user names, then the folder of weights (``$VOSR_WEIGHTS``, by
default ``~/.cache/vosr/weights``), then the hub's own cache, then the network.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path


class MissingWeightsError(FileNotFoundError):
    """Pretrained weights that are not to be had; says what to download and where to put it."""


@dataclass(frozen=True)
class Weights:
    """One pretrained file and the places where it may lie.

    Attributes:
        title: what it is, as messages call it.
        repo: hub id.
        file: path inside the hub repository.
        shared: paths relative to a folder that holds the weights of several models, most usual first.
        own: paths relative to a folder that holds this model alone.
        companions: file names beside ``file`` in the hub repository that are fetched with it.
    """

    title: str
    repo: str
    file: str
    shared: tuple[str, ...]
    own: tuple[str, ...]
    companions: tuple[str, ...] = ()

    def beside(self, folder: Path) -> Path | None:
        """The file in a folder that holds the weights of several models, if it is there."""
        return _first_file(folder, self.shared)

    def locate(self, place: str | None = None) -> Path:
        """The file on this machine, downloaded if need be.

        Args:
            place: a file, a folder or a hub id; by default the folder of weights, then ``repo``.

        Raises:
            MissingWeightsError: it is in none of the places.
        """
        if place is None:
            return self.beside(weights_folder()) or self._download(self.repo, (self.file,))
        path = Path(place).expanduser()
        if path.is_file():
            return path
        if path.is_dir():
            found = _first_file(path, self.own) or self.beside(path)
            if found is None:
                raise MissingWeightsError(f"No {self.title} in {path}: expected {_either(self.own)}.")
            return found
        if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", place):
            raise MissingWeightsError(
                f"No {self.title} at {place}: there is no such file or folder. {self.advice()}"
            )
        return self._download(place, self.own)

    def advice(self) -> str:
        """What to download and where to put it."""
        return (
            f"Download {self.file!r} from https://huggingface.co/{self.repo} and put it at "
            f"{weights_folder() / self.shared[0]}, or name the file in `weights`."
        )

    def _download(self, repo: str, files: tuple[str, ...]) -> Path:
        found = self._fetch(repo, files, cached_only=True)
        if found is None and _hub_answers():
            found = self._fetch(repo, files, cached_only=False)
        if found is None:
            where = "on this machine" if repo == self.repo else f"in the hub repository {repo!r}"
            raise MissingWeightsError(f"{self.title} is not {where}. {self.advice()}")
        return found

    def _fetch(self, repo: str, files: tuple[str, ...], cached_only: bool) -> Path | None:
        from huggingface_hub import hf_hub_download  # an HTTP client, which shipped models do without

        for file in files:
            try:
                path = hf_hub_download(repo, file, local_files_only=cached_only)
                for name in self.companions:
                    hf_hub_download(repo, str(Path(file).with_name(name)), local_files_only=cached_only)
            except (
                OSError,
                ValueError,
            ):  # not cached, or not in that repository: the hub's errors derive from these
                continue
            return Path(path)
        return None


def weights_folder() -> Path:
    """Where pretrained weights are kept: ``$VOSR_WEIGHTS``, or ``~/.cache/vosr/weights``."""
    return Path(os.environ.get("VOSR_WEIGHTS") or "~/.cache/vosr/weights").expanduser()


def _hub_answers() -> bool:
    """Whether the hub can be reached, asked once and briefly: its own client retries for half a minute."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        get_session().head(constants.ENDPOINT, timeout=5)
    except Exception:  # the client's own kinds of errors changed between its versions
        return False
    return True


def _first_file(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(names)
